/**
 * @module
 * The add-ons that kagent brings, a folder each: name, images, manifest.
 * Knows: which there are. Leaves to others: applying them (manifests/), bringing images into the bundle (scripts/build).
 */
import { coredns } from './coredns/coredns.ts';
import type { Addon, AddonSettings } from './types.ts';

export const addons: readonly [Addon, ...Addon[]] = [coredns];

/** Files in the order in which they are applied. */
export function addonManifests(settings: AddonSettings): readonly { readonly name: string; readonly text: string }[] {
  return addons.map((addon) => ({ name: addon.name, text: addon.manifest(settings) }));
}

export type { Addon, AddonSettings } from './types.ts';
