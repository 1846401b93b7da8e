import { dirname } from 'node:path';
import type { ClusterNode } from '../types.ts';
import { nodeKey, pathOf, rootKey } from './objects.ts';
import type { VolumeObject } from './objects.ts';

/** Where the data of a volume is. */
export interface DataPlace {
  readonly root: string;
  readonly path: string;
  /** Undefined for one on a file system that all nodes share. */
  readonly nodeName: string | undefined;
  readonly isNodeGone: boolean;
  /** The same for volumes that share a folder. */
  readonly id: string;
}

interface Affinity {
  readonly required?: {
    readonly nodeSelectorTerms?: readonly {
      readonly matchExpressions?: readonly { readonly key: string; readonly values?: readonly string[] }[];
    }[];
  };
}

/** Volumes that k3s has made name no node and no root: they have the label of a node, and the folder they are in. */
export function placeOf(volume: VolumeObject, nodes: readonly ClusterNode[]): DataPlace {
  const { annotations } = volume.metadata;
  const path = pathOf(volume) ?? '';
  const host = hostnameOf(volume);
  const named = annotations?.[nodeKey];
  const node = nodes.find(({ metadata }) =>
    named === undefined ? metadata.labels?.['kubernetes.io/hostname'] === host : metadata.name === named,
  );
  const nodeName = node?.metadata.name ?? named ?? host;
  return {
    root: annotations?.[rootKey] ?? dirname(path),
    path,
    nodeName,
    isNodeGone: nodeName !== undefined && node === undefined,
    id: path === '' ? volume.metadata.name : placeId(nodeName, path),
  };
}

export function placeId(nodeName: string | undefined, path: string): string {
  return `${nodeName ?? ''} ${path}`;
}

function hostnameOf({ spec }: VolumeObject): string | undefined {
  const terms = (spec?.nodeAffinity as Affinity | undefined)?.required?.nodeSelectorTerms ?? [];
  const expressions = terms.flatMap(({ matchExpressions }) => matchExpressions ?? []);
  return expressions.find(({ key }) => key === 'kubernetes.io/hostname')?.values?.[0];
}
