import { createHash } from 'node:crypto';
import { isJson, objectKey } from '../../kube/kube.ts';
import type { KubeObject } from '../../kube/kube.ts';

export interface UsedNames {
  readonly secrets: ReadonlySet<string>;
  readonly configmaps: ReadonlySet<string>;
  readonly serviceaccounts: ReadonlySet<string>;
  readonly persistentvolumeclaims: ReadonlySet<string>;
}

/**
 * What the kubelet asks for before it starts these pods, as `namespace/name`: volumes, projected volumes, env, envFrom,
 * imagePullSecrets. The spec is walked for the fields that name something, wherever they stand, so that volume types
 * which nobody thought of here are found too.
 * @see k8s.io/kubernetes v1.37 pkg/api/v1/pod VisitPodSecretNames, VisitPodConfigmapNames
 */
export function usedByPods(pods: readonly KubeObject[]): UsedNames {
  const secrets = new Set<string>();
  const configmaps = new Set<string>();
  const serviceaccounts = new Set<string>();
  const persistentvolumeclaims = new Set<string>();
  for (const { metadata, spec } of pods) {
    const add = (names: Set<string>, name: unknown) => {
      if (typeof name === 'string' && name !== '') names.add(objectKey(metadata.namespace, name));
    };
    walk(spec, (field, value) => {
      if (field === 'imagePullSecrets') add(secrets, value['name']);
      else if (isSecretField(field)) {
        add(secrets, value['name']);
        add(secrets, value['secretName']);
      } else if (field === 'azureFile') add(secrets, value['secretName']);
      else if (/^configMap(KeyRef|Ref)?$/.test(field)) add(configmaps, value['name']);
      else if (field === 'persistentVolumeClaim') add(persistentvolumeclaims, value['claimName']);
      else if (field === 'volumes' && 'ephemeral' in value)
        add(persistentvolumeclaims, `${metadata.name}-${String(value['name'])}`);
    });
    if (isJson(spec)) add(serviceaccounts, spec['serviceAccountName']);
  }
  return { secrets, configmaps, serviceaccounts, persistentvolumeclaims };
}

/** What these volumes need in turn: the passwords of their drivers, and the notes of where they are attached. */
export function usedByVolumes(volumes: readonly KubeObject[], nodeName: string) {
  const secrets = new Set<string>();
  const volumeattachments = new Set<string>();
  for (const { spec } of volumes) {
    walk(spec, (field, value) => {
      const { name, namespace } = value;
      if (isSecretField(field) && typeof name === 'string' && typeof namespace === 'string')
        secrets.add(objectKey(namespace, name));
      if (field !== 'csi') return;
      // @see k8s.io/kubernetes v1.37 pkg/volume/csi getAttachmentName
      const text = `${String(value['volumeHandle'])}${String(value['driver'])}${nodeName}`;
      volumeattachments.add(`csi-${createHash('sha256').update(text).digest('hex')}`);
    });
  }
  return { secrets, volumeattachments };
}

function isSecretField(field: string): boolean {
  return /^secret(KeyRef|Ref)?$/.test(field) || field.endsWith('SecretRef');
}

/** Each object below `value`, with the name of the field it stands in; an array's objects stand in the array's field. */
function walk(value: unknown, visit: (field: string, value: Readonly<Record<string, unknown>>) => void, field = '') {
  if (Array.isArray(value)) {
    for (const one of value) walk(one, visit, field);
  } else if (isJson(value)) {
    visit(field, value);
    for (const [name, inner] of Object.entries(value)) walk(inner, visit, name);
  }
}
