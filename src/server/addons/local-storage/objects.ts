/** Claims, volumes and classes as far as a provisioner looks at them. */
import type { KubeObject } from '../../../kube/kube.ts';

/** k3s's, so that its manifests and volumes fit. */
export const provisioner = 'rancher.io/local-path';

export interface ClaimObject extends KubeObject {
  readonly spec?: {
    readonly storageClassName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly volumeName?: string;
    readonly selector?: object;
    /** Whose contents the volume shall have; the older field can name less. */
    readonly dataSourceRef?: DataSource;
    readonly dataSource?: DataSource;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
  readonly status?: { readonly phase?: string };
}

export interface DataSource {
  readonly kind: string;
  readonly name: string;
}

export interface VolumeObject extends KubeObject {
  readonly spec?: {
    readonly persistentVolumeReclaimPolicy?: string;
    readonly hostPath?: { readonly path?: string };
    readonly local?: { readonly path?: string };
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
    readonly nodeAffinity?: unknown;
  };
  readonly status?: { readonly phase?: string };
}

export interface ClassObject extends KubeObject {
  readonly provisioner?: string;
  readonly reclaimPolicy?: string;
  readonly mountOptions?: readonly string[];
  readonly parameters?: Readonly<Record<string, string>>;
}

const provisionerKeys = ['volume.kubernetes.io/storage-provisioner', 'volume.beta.kubernetes.io/storage-provisioner'];
export const selectedNodeKey = 'volume.kubernetes.io/selected-node';
/** Says of a volume who made it, and who is to remove it. */
export const provisionedByKey = 'pv.kubernetes.io/provisioned-by';
/** Of a volume: the folder of all volumes that it was made in, and the node. */
export const rootKey = 'kagent.sh/volume-root';
export const nodeKey = 'kagent.sh/volume-node';

/** Kubernetes asks for a volume, and of us. */
export function isAskedOfUs({ metadata, spec, status }: ClaimObject): boolean {
  const asked = provisionerKeys.map((key) => metadata.annotations?.[key]).find((value) => value !== undefined);
  const isOpen = (spec?.volumeName ?? '') === '' && status?.phase !== 'Bound' && !isDeleted(metadata);
  return asked === provisioner && isOpen;
}

/** A volume of ours that nobody claims any more, and that goes with its claim. */
export function isToBeRemoved({ metadata, spec, status }: VolumeObject): boolean {
  return (
    metadata.annotations?.[provisionedByKey] === provisioner &&
    status?.phase === 'Released' &&
    spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    !isDeleted(metadata)
  );
}

export function isDeleted(metadata: KubeObject['metadata']): boolean {
  return metadata['deletionTimestamp'] !== undefined;
}

export function pathOf({ spec }: VolumeObject): string | undefined {
  return spec?.local?.path ?? spec?.hostPath?.path;
}
