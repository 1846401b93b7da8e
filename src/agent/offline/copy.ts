import { arrayOf, isJson, keyOf } from '../../kube/kube.ts';
import type { Json, KubeObject } from '../../kube/kube.ts';
import type { Memory, Remembered } from './memory.ts';
import { apiVersionOf, resources } from './resources.ts';
import type { Resource } from './resources.ts';

/** The memory as it is answered from, with what the node's programs have said since. */
export interface Copy {
  known(resource: Resource): Remembered | undefined;
  get(resource: Resource, key: string): KubeObject | undefined;
  /** Objects that are not any more as the server said. */
  changed(resource: Resource): readonly KubeObject[];
  /** Tells every follower. @returns the object with its new resourceVersion */
  change(resource: Resource, object: KubeObject): KubeObject;
  /** @returns what ends it */
  follow(resource: Resource, onChange: (object: KubeObject) => void): () => void;
}

interface Kept {
  readonly remembered: Remembered;
  readonly objects: Map<string, KubeObject>;
  readonly changed: Set<string>;
  readonly followers: Set<(object: KubeObject) => void>;
}

/** Read from disk when it is asked for. Nothing of it is written: the server has the last word on everything. */
export function createCopy(memory: Pick<Memory, 'load'>): Copy {
  const all = new Map<Resource, Kept | undefined>();

  const kept = (resource: Resource): Kept | undefined => {
    if (!all.has(resource)) {
      const remembered = memory.load(resource);
      all.set(resource, remembered && keep(resource, remembered));
    }
    return all.get(resource);
  };

  const change = (resource: Resource, object: KubeObject): KubeObject => {
    const { metadata } = object;
    const resourceVersion = nextVersion(metadata.resourceVersion);
    const now = { ...object, metadata: { ...metadata, resourceVersion } };
    const into = kept(resource);
    into?.objects.set(keyOf(now), now);
    into?.changed.add(keyOf(now));
    for (const tell of into?.followers ?? []) tell(now);
    if (resource === resources.pods) for (const slice of slicesWith(now)) change(resources.endpointslices, slice);
    return now;
  };

  /** The endpoints are the pod's addresses of before: after a boot it has another one. */
  const slicesWith = (pod: KubeObject): readonly KubeObject[] =>
    [...(kept(resources.endpointslices)?.objects.values() ?? [])].flatMap((slice) => {
      const service = kept(resources.services)?.objects.get(serviceKey(slice));
      const spec = isJson(service?.spec) ? service.spec : {};
      const moved = withPod(slice, pod, spec['publishNotReadyAddresses'] === true);
      return moved === undefined ? [] : [moved];
    });

  return {
    known: (resource) => {
      const here = kept(resource);
      return here && { ...here.remembered, items: [...here.objects.values()] };
    },
    get: (resource, key) => kept(resource)?.objects.get(key),
    changed: (resource) => {
      const here = kept(resource);
      return [...(here?.changed ?? [])].flatMap((key) => here?.objects.get(key) ?? []);
    },
    change,
    follow(resource, onChange) {
      const followers = kept(resource)?.followers;
      followers?.add(onChange);
      return () => void followers?.delete(onChange);
    },
  };
}

function keep(resource: Resource, remembered: Remembered): Kept {
  const type = { apiVersion: apiVersionOf(resource), kind: resource.kind }; // a list's items do not say it
  const objects = new Map(remembered.items.map((item) => [keyOf(item), { ...type, ...item }]));
  return { remembered, objects, changed: new Set(), followers: new Set() };
}

/**
 * Of an object that was changed here: other than before, so that clients see a change, and older than anything of the
 * server's, so that it tells them everything anew when they come with it.
 */
function nextVersion(before: string | undefined): string {
  return before === '1' ? '2' : '1';
}

function serviceKey({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
}

/** The slice with the pod's present address and readiness. @returns undefined if nothing in it is to be changed */
export function withPod(slice: KubeObject, pod: KubeObject, publishNotReady: boolean): KubeObject | undefined {
  const before = arrayOf(slice['endpoints']).filter(isJson);
  const status = isJson(pod.status) ? pod.status : {};
  const isIpv6 = slice['addressType'] === 'IPv6';
  const ips = [
    ...arrayOf(status['podIPs'])
      .filter(isJson)
      .map(({ ip }) => ip),
    status['podIP'],
  ];
  const address = ips.find((ip) => typeof ip === 'string' && ip !== '' && ip.includes(':') === isIpv6);
  const conditions = arrayOf(status['conditions']).filter(isJson);
  const isReady = conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  const after = before.map((endpoint) => {
    if (!isOf(endpoint, pod)) return endpoint;
    const known = isJson(endpoint['conditions']) ? endpoint['conditions'] : {};
    return {
      ...endpoint,
      ...(address !== undefined && { addresses: [address] }),
      conditions: { ...known, ready: isReady || publishNotReady, serving: isReady },
    };
  });
  return JSON.stringify(after) === JSON.stringify(before) ? undefined : { ...slice, endpoints: after };
}

function isOf(endpoint: Json, { metadata }: KubeObject): boolean {
  const target = endpoint['targetRef'];
  return isJson(target) && target['kind'] === 'Pod' && target['uid'] === metadata.uid;
}
