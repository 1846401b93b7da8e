import type { KubeObject } from '../../../kube/kube.ts';
import { isShared, rootsFor } from './config.ts';
import type { StorageConfig } from './config.ts';
import { VolumeUnsupportedError } from './errors.ts';
import { nodeKey, provisionedByKey, provisioner, rootKey } from './objects.ts';
import type { ClaimObject, ClassObject } from './objects.ts';
import { volumePath } from './path.ts';
import { placeId } from './removal.ts';

/** A volume that is going to be made. */
export interface VolumePlan {
  readonly root: string;
  readonly path: string;
  /** As of `DataPlace`. */
  readonly id: string;
  /** The PersistentVolume of it. */
  readonly object: object;
}

const hostname = 'kubernetes.io/hostname';

export interface VolumeWish {
  readonly claim: ClaimObject;
  readonly storageClass: ClassObject;
  readonly config: StorageConfig;
  /** Where it is to be; undefined for one on a shared file system. */
  readonly node: KubeObject | undefined;
}

/** One for each folder in which it may be, in the order in which they are to be tried. @throws {VolumeUnsupportedError} */
export function planVolume(wish: VolumeWish): VolumePlan[] {
  const { claim, storageClass, config, node } = wish;
  refuseUnsupported(claim, config);
  const roots = rootsFor(config, node?.metadata.name, storageClass.parameters?.['nodePath']);
  return roots.map((root) => planIn(root, wish));
}

function planIn(root: string, { claim, storageClass, node }: VolumeWish): VolumePlan {
  const nodeName = node?.metadata.name;
  const path = volumePath(root, claim, storageClass.parameters?.['pathPattern']);
  const { name, namespace = 'default', uid } = claim.metadata;
  return {
    root,
    path,
    id: placeId(nodeName, path),
    object: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: `pvc-${uid}`,
        annotations: {
          [provisionedByKey]: provisioner,
          [rootKey]: root,
          ...(nodeName !== undefined && { [nodeKey]: nodeName }),
        },
      },
      spec: {
        capacity: { storage: claim.spec?.resources?.requests?.storage },
        accessModes: claim.spec?.accessModes,
        volumeMode: 'Filesystem',
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: storageClass.metadata.name,
        ...(storageClass.mountOptions !== undefined && { mountOptions: storageClass.mountOptions }),
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
        ...sourceOf(path, claim, storageClass, node),
        ...(node !== undefined && { nodeAffinity: onlyOn(node) }),
      },
    },
  };
}

function refuseUnsupported({ spec }: ClaimObject, config: StorageConfig): void {
  if (spec?.selector !== undefined)
    throw new VolumeUnsupportedError('a claim with a selector is not provisioned', 'leave the selector out');
  if (spec?.volumeMode === 'Block')
    throw new VolumeUnsupportedError('volumeMode Block needs a disk', 'take Filesystem');
  const source = spec?.dataSourceRef ?? spec?.dataSource;
  if (source !== undefined)
    throw new VolumeUnsupportedError(
      `nothing copies the contents of ${source.kind} ${source.name}, and an empty volume is not what the claim wants`,
      'leave the data source out, or run the populator that it is for',
    );
  const isOfOneNode = (mode: string) => mode === 'ReadWriteOnce' || mode === 'ReadWriteOncePod';
  const other = spec?.accessModes?.find((mode) => !isOfOneNode(mode));
  if (other !== undefined && !isShared(config))
    throw new VolumeUnsupportedError(
      `access mode ${other} needs a file system that all nodes share`,
      'take ReadWriteOnce, or set sharedFileSystemPath in the ConfigMap kube-system/local-path-config',
    );
}

/**
 * `local`, of which the kubelet counts what is used, unless the claim or its class says `volumeType: hostPath`. One on a
 * shared file system has no node, and `local` needs one.
 */
function sourceOf(path: string, claim: ClaimObject, storageClass: ClassObject, node: KubeObject | undefined): object {
  const said =
    claim.metadata.annotations?.['volumeType'] ??
    storageClass.metadata.annotations?.['defaultVolumeType'] ??
    storageClass.parameters?.['volumeType'];
  const type = said?.toLowerCase() ?? 'local';
  if (type !== 'local' && type !== 'hostpath')
    throw new VolumeUnsupportedError(`volumeType ${said} is not known`, 'there are local and hostPath');
  return type === 'local' && node !== undefined
    ? { local: { path } }
    : { hostPath: { path, type: 'DirectoryOrCreate' } };
}

/** By its label, which is not its name where somebody has changed it. */
function onlyOn({ metadata }: KubeObject): object {
  const value = metadata.labels?.[hostname] ?? metadata.name;
  return {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: hostname, operator: 'In', values: [value] }] }] },
  };
}
