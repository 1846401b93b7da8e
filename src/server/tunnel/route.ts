import { isIPv4 } from 'node:net';
import { contains } from '../../shared/ipv4/ipv4.ts';

/** A Node of the API, as far as its pods' addresses go. */
export interface RoutedNode {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly podCIDRs?: readonly string[] };
}

/** Which addresses belong to which node, as this server has decided. */
export interface NodeAddressBook {
  of(nodeName: string): { readonly internalIps: readonly string[] } | undefined;
  owner(address: string): string | undefined;
}

/** Where a connection goes: to which node, and to which of its addresses. */
export interface Route {
  readonly nodeName: string;
  readonly target: Target;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `10.0.0.5:10250`, `[::1]:443`, `name:443`. @returns undefined for what is no such thing */
export function targetOf(authority: string): Target | undefined {
  const url = URL.parse(`tcp://${authority}`);
  const port = Number(url?.port);
  if (url === null || url.hostname === '' || !(port > 0)) return undefined;
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

/**
 * To a node by its name; else to the one that has the address by the server's record, whatever Nodes say, or whose pods have
 * it. @returns undefined for what belongs to no node
 */
export function routeTo(
  target: Target,
  { nodes, addresses }: { readonly nodes: readonly RoutedNode[]; readonly addresses: NodeAddressBook },
): Route | undefined {
  const { host, port } = target;
  const [nodeIp] = addresses.of(host)?.internalIps ?? [];
  if (nodeIp !== undefined) return { nodeName: host, target: { host: nodeIp, port } };
  const nodeName = addresses.owner(host) ?? nodeOfPod(host, nodes);
  return nodeName === undefined ? undefined : { nodeName, target };
}

function nodeOfPod(host: string, nodes: readonly RoutedNode[]): string | undefined {
  if (!isIPv4(host)) return undefined;
  const isPods = (cidr: string) => isIPv4(cidr.split('/', 1).join('')) && contains(cidr, host);
  return nodes.find((node) => node.spec?.podCIDRs?.some(isPods))?.metadata.name;
}
