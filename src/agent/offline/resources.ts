/** Whose requests are answered: each by the certificate of this node that it shows. */
export type Program = 'kubelet' | 'kubeProxy' | 'flannel';

export interface Resource {
  /** In URLs, and of its file: `endpointslices`. */
  readonly name: string;
  readonly kind: string;
  /** `/apis/discovery.k8s.io/v1` */
  readonly root: string;
  /** Those that read it at the server too; the first one's certificate reads it for the memory. */
  readonly readers: readonly [Program, ...Program[]];
  /** Everything there is, what is this node's own, or only what this node's pods name. */
  readonly extent: 'all' | 'own' | 'named';
}

export const resources = {
  // The Node authorizer shows a kubelet its own node only; flannel needs them all.
  nodes: resource('Node', 'nodes', '/api/v1', ['flannel', 'kubelet', 'kubeProxy']),
  pods: resource('Pod', 'pods', '/api/v1', ['kubelet', 'kubeProxy'], 'own'),
  podcertificaterequests: resource(
    'PodCertificateRequest',
    'podcertificaterequests',
    '/apis/certificates.k8s.io/v1',
    ['kubelet'],
    'own',
  ),
  services: resource('Service', 'services', '/api/v1', ['kubelet', 'kubeProxy']),
  endpointslices: resource('EndpointSlice', 'endpointslices', '/apis/discovery.k8s.io/v1', ['kubeProxy']),
  servicecidrs: resource('ServiceCIDR', 'servicecidrs', '/apis/networking.k8s.io/v1', ['kubeProxy']),
  // Where NetworkPolicies are enforced, else nobody of the node may read them.
  networkpolicies: resource('NetworkPolicy', 'networkpolicies', '/apis/networking.k8s.io/v1', ['kubeProxy']),
  namespaces: resource('Namespace', 'namespaces', '/api/v1', ['kubeProxy']),
  runtimeclasses: resource('RuntimeClass', 'runtimeclasses', '/apis/node.k8s.io/v1', ['kubelet']),
  csidrivers: resource('CSIDriver', 'csidrivers', '/apis/storage.k8s.io/v1', ['kubelet']),
  csinodes: resource('CSINode', 'csinodes', '/apis/storage.k8s.io/v1', ['kubelet'], 'named'),
  secrets: resource('Secret', 'secrets', '/api/v1', ['kubelet'], 'named'),
  configmaps: resource('ConfigMap', 'configmaps', '/api/v1', ['kubelet'], 'named'),
  serviceaccounts: resource('ServiceAccount', 'serviceaccounts', '/api/v1', ['kubelet'], 'named'),
  persistentvolumeclaims: resource('PersistentVolumeClaim', 'persistentvolumeclaims', '/api/v1', ['kubelet'], 'named'),
  persistentvolumes: resource('PersistentVolume', 'persistentvolumes', '/api/v1', ['kubelet'], 'named'),
  volumeattachments: resource('VolumeAttachment', 'volumeattachments', '/apis/storage.k8s.io/v1', ['kubelet'], 'named'),
} as const;
export type ResourceName = keyof typeof resources;

function resource(
  kind: string,
  name: string,
  root: string,
  readers: Resource['readers'],
  extent: Resource['extent'] = 'all',
): Resource {
  return { name, kind, root, readers, extent };
}

export const allResources: readonly Resource[] = Object.values(resources);

/** `v1`, `discovery.k8s.io/v1` */
export function apiVersionOf({ root }: Resource): string {
  return root.replace(/^\/apis?\//, '');
}

/** Where a request for it goes: `/api/v1/namespaces/default/secrets/s`. */
export function pathOf({ root, name }: Resource, key: string): string {
  const [first = '', second] = key.split('/', 2);
  return second === undefined ? `${root}/${name}/${first}` : `${root}/namespaces/${first}/${name}/${second}`;
}
