/** Services, Nodes and EndpointSlices as far as a load balancer looks at them. */
import { isIPv4 } from 'node:net';
import type { KubeObject } from '../../../kube/kube.ts';
import type { HostPort } from '../../../shared/protocol/channel.ts';
import type { ClusterNode } from '../types.ts';

export interface ServiceObject extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly loadBalancerClass?: string;
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
    readonly ports?: readonly { readonly port: number; readonly protocol?: string }[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

export interface EndpointSliceObject extends KubeObject {
  readonly endpoints?: readonly {
    readonly nodeName?: string;
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean };
  }[];
}

/** What a Service names that wants kagent's load balancer and no other. */
export const ownClass = 'kagent.sh/servicelb';
/** Whose fields of a status are kagent's. */
export const fieldManager = 'kagent-servicelb';

const labelPrefixes = ['svccontroller.kagent.sh/', 'svccontroller.k3s.cattle.io/'] as const;
const excluded = 'node.kubernetes.io/exclude-from-external-load-balancers';

export function isOurs({ spec }: ServiceObject): boolean {
  return (spec?.loadBalancerClass ?? ownClass) === ownClass;
}

export function portsOf({ spec }: ServiceObject): readonly HostPort[] {
  return (spec?.ports ?? []).map(({ port, protocol = 'TCP' }) => ({ port, protocol }));
}

export function ingressOf({ status }: ServiceObject): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
}

/** Another controller, or a person, has written the addresses: two that write them in turn would never end. */
export function isWrittenByAnother(service: ServiceObject): boolean {
  if (ingressOf(service).length === 0) return false;
  const managers = service.metadata['managedFields'] as
    | readonly { readonly manager?: string; readonly fieldsV1?: { readonly 'f:status'?: object } }[]
    | undefined;
  const writers = (managers ?? []).filter(({ fieldsV1 }) => 'f:loadBalancer' in (fieldsV1?.['f:status'] ?? {}));
  return writers.length > 0 && writers.every(({ manager }) => manager !== fieldManager);
}

/** As in k3s: once a node is labelled, only labelled ones; a Service with a pool takes those of its pool among them. */
export function nodesFor(service: ServiceObject, nodes: readonly ClusterNode[]): readonly ClusterNode[] {
  const enabled = nodes.filter((node) => labelOf(node, 'enablelb') === 'true');
  const pool = labelOf(service, 'lbpool');
  const isInPool = (node: ClusterNode) => pool === undefined || labelOf(node, 'lbpool') === pool;
  const allowed = enabled.length === 0 ? nodes : enabled.filter(isInPool);
  return allowed.filter((node) => isReady(node) && node.metadata.labels?.[excluded] === undefined);
}

function labelOf({ metadata }: KubeObject, name: 'enablelb' | 'lbpool'): string | undefined {
  return labelPrefixes.map((prefix) => metadata.labels?.[prefix + name]).find((value) => value !== undefined);
}

function isReady({ status }: ClusterNode): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

/** External ones first; the internal ones too, since behind a translation of addresses packets arrive at those. */
export function addressesOf(nodes: readonly ClusterNode[]): readonly string[] {
  const ofType = (type: string) =>
    nodes.flatMap(({ status }) => (status?.addresses ?? []).filter((one) => one.type === type));
  const all = [...ofType('ExternalIP'), ...ofType('InternalIP')].map(({ address }) => address);
  return [...new Set(all.filter((address) => isIPv4(address)))];
}

/**
 * Nodes with an endpoint that takes connections: as in kube-proxy, one that terminates takes them as long as it serves, so that a
 * node whose pod is being replaced answers until that pod has ended.
 * @see https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/1669-proxy-terminating-endpoints
 */
export function nodesWithEndpoints(slices: readonly EndpointSliceObject[]): ReadonlySet<string> {
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  const taking = endpoints.filter(({ conditions }) => conditions?.serving ?? conditions?.ready ?? true);
  return new Set(taking.flatMap(({ nodeName }) => (nodeName === undefined ? [] : [nodeName])));
}
