/**
 * @module
 * The add-ons that kagent brings, a folder each: name, images, manifest or component.
 * Knows: which there are. Leaves to others: applying them (manifests/), bringing images into the bundle (scripts/build).
 */
import type { Component } from '../../shared/component/component.ts';
import { coredns } from './coredns/coredns.ts';
import { helmController } from './helm-controller/helm-controller.ts';
import { localStorage } from './local-storage/local-storage.ts';
import { metricsServer } from './metrics-server/metrics-server.ts';
import { servicelb } from './servicelb/servicelb.ts';
import { traefik } from './traefik/traefik.ts';
import type { Addon, AddonContext, AddonSettings, PackagedManifest } from './types.ts';

export const addons: readonly [Addon, ...Addon[]] = [
  coredns,
  helmController,
  localStorage,
  metricsServer,
  servicelb,
  traefik,
];

/** Files in the order in which they are applied. */
export function addonManifests(settings: AddonSettings): readonly PackagedManifest[] {
  return addons.flatMap(({ name, manifest }) => (manifest === undefined ? [] : [{ name, text: manifest(settings) }]));
}

/**
 * @param disabled names of add-ons that are left out
 * @param placed decides on which of several servers a component runs
 */
export function addonComponents(
  context: AddonContext,
  disabled: readonly string[],
  placed: (make: () => Component) => Component,
): readonly Component[] {
  return addons.flatMap(({ name, component, removal }) => {
    const make = disabled.includes(name) ? removal : component;
    return make === undefined ? [] : [placed(() => make(context))];
  });
}

export type { Addon, AddonContext, AddonSettings, ClusterNode, ClusterNodes, PackagedManifest } from './types.ts';
