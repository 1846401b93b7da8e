/**
 * The definitions of the kinds: Traefik's own and the Gateway API's. They are in the cluster from the beginning, so that objects can be
 * made; those that somebody else has brought, or brings later, are left alone.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isConflict, unlessGone } from '../../../kube/kube.ts';
import type { Json, KubeClient, KubeObject } from '../../../kube/kube.ts';
import type { Log } from '../../../shared/log/log.ts';
import { isOwn, ownLabel, ownSelector } from './manifests.ts';

export const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** Of a definition: the sum of the file that it is from. */
const sumKey = 'kagent.sh/definitions';
const bundleVersionKey = 'gateway.networking.k8s.io/bundle-version';

export interface Definition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

interface Context {
  readonly kube: KubeClient;
  readonly log: Log;
}

/** @param file the names of all, then a definition in each line */
export async function applyDefinitions({ kube, log }: Context, file: string, signal: AbortSignal): Promise<void> {
  const text = await readFile(file, 'utf8');
  const sum = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const [first = '[]', ...lines] = text.trimEnd().split('\n');
  const names = JSON.parse(first) as readonly string[];
  const present = new Map(
    (await kube.metadata(definitionsPath, signal)).map(({ metadata }) => [metadata.name, metadata]),
  );
  for (const [index, name] of names.entries()) {
    const there = present.get(name);
    if (there !== undefined && (!isOwn(there) || there.annotations?.[sumKey] === sum)) continue;
    const definition = JSON.parse(lines[index] ?? '') as Definition;
    if (isNewer(there, definition)) continue;
    await applyOne({ kube, log }, definition, sum, signal);
  }
}

/** What others have changed since is theirs, and so is the rest of it then. */
async function applyOne({ kube, log }: Context, definition: Definition, sum: string, signal: AbortSignal) {
  const { name, annotations } = definition.metadata;
  const metadata = { name, labels: ownLabel, annotations: { ...annotations, [sumKey]: sum } };
  try {
    await kube.apply(`${definitionsPath}/${name}`, { ...definition, metadata }, { force: false }, signal);
  } catch (error) {
    if (!isConflict(error)) throw error;
    log.warn("definition is somebody else's, and stays as it is", { definition: name, error });
  }
}

function isNewer(there: KubeObject['metadata'] | undefined, ours: Definition): boolean {
  const [theirs, own] = [there?.annotations, ours.metadata.annotations].map((one) => one?.[bundleVersionKey]);
  return theirs !== undefined && own !== undefined && theirs.localeCompare(own, 'en', { numeric: true }) > 0;
}

/**
 * Removes kagent's definitions, and with them nothing: those of a group of which there are objects stay, since these would go too.
 * @returns the groups that stay
 */
export async function removeDefinitions({ kube, log }: Context, signal: AbortSignal): Promise<readonly string[]> {
  const { items } = await kube.get<{ readonly items: readonly Definition[] }>(
    `${definitionsPath}?${ownSelector}`,
    signal,
  );
  const kept: string[] = [];
  for (const [group, definitions] of Map.groupBy(items, ({ spec }) => spec.group)) {
    const used = await firstUsed(kube, definitions, signal);
    if (used === undefined) {
      for (const { metadata } of definitions)
        await kube.delete(`${definitionsPath}/${metadata.name}`, {}, signal).catch(unlessGone);
      continue;
    }
    kept.push(group);
    log.warn('definitions stay, since there are objects of them', { group, definition: used });
  }
  return kept;
}

async function firstUsed(kube: KubeClient, definitions: readonly Definition[], signal: AbortSignal) {
  for (const { metadata, spec } of definitions) {
    const version = spec.versions.find(({ served }) => served)?.name;
    const list = `/apis/${spec.group}/${version}/${spec.names.plural}?limit=1`;
    const found = await kube.find<{ readonly items: readonly Json[] }>(list, signal);
    if (found !== undefined && found.items.length > 0) return metadata.name;
  }
  return undefined;
}
