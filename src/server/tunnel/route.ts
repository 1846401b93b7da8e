import { isIPv4 } from 'node:net';
import { contains } from '../../shared/ipv4/ipv4.ts';

/** A Node of the API, as far as its addresses go. */
export interface RoutedNode {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly podCIDRs?: readonly string[] };
  readonly status?: { readonly addresses?: readonly { readonly address: string }[] };
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

/** The node that has this address, or whose pods have it. */
export function nodeOf(host: string, nodes: readonly RoutedNode[]): string | undefined {
  const byAddress = nodes.find((node) => node.status?.addresses?.some(({ address }) => address === host));
  if (byAddress !== undefined) return byAddress.metadata.name;
  if (!isIPv4(host)) return undefined;
  const isPods = (cidr: string) => isIPv4(cidr.split('/', 1).join('')) && contains(cidr, host);
  return nodes.find((node) => node.spec?.podCIDRs?.some(isPods))?.metadata.name;
}
