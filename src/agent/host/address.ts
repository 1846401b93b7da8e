import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import { hostname, networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { NodeAddressUnknownError, NodeNameInvalidError } from './errors.ts';
import type { HostRoot } from './root.ts';

export interface NodeAddress {
  readonly nodeIp: string;
  readonly defaultInterface: string;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** The address other nodes reach this one by: as told, else what the default route sends from, else the only one there is. */
export async function nodeAddress(
  wanted: { readonly nodeIp?: string | undefined; readonly interfaceName?: string | undefined },
  root: HostRoot,
  interfaces: Interfaces = networkInterfaces(),
): Promise<NodeAddress> {
  if (wanted.nodeIp !== undefined) return withInterface(wanted.nodeIp, interfaces);
  const name = wanted.interfaceName ?? defaultInterface(root.read('/proc/net/route') ?? '');
  if (name !== undefined) {
    const candidates = addressesOf(name, interfaces);
    const source = candidates.length > 1 && wanted.interfaceName === undefined ? await sourceAddress() : undefined;
    const nodeIp = candidates.find((address) => address === source) ?? candidates[0];
    if (nodeIp === undefined) throw new NodeAddressUnknownError(`the interface ${name} has no IPv4 address`);
    return { nodeIp, defaultInterface: name };
  }
  const all = Object.keys(interfaces).flatMap((other) =>
    addressesOf(other, interfaces).map((nodeIp) => ({ nodeIp, defaultInterface: other })),
  );
  const [only, ...others] = all;
  if (only === undefined) throw new NodeAddressUnknownError('there is no interface with an IPv4 address but loopback');
  if (others.length > 0) {
    const list = all.map((entry) => `${entry.nodeIp} (${entry.defaultInterface})`).join(', ');
    throw new NodeAddressUnknownError(`there is no default route and more than one address: ${list}`);
  }
  return only;
}

/** The interface of the default route with the lowest metric, from /proc/net/route. */
export function defaultInterface(routes: string): string | undefined {
  const rows = routes
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  const defaults = rows.filter((row) => row[1] === '00000000' && row[7] === '00000000');
  return defaults.toSorted((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}

function addressesOf(name: string, interfaces: Interfaces): readonly string[] {
  const own = interfaces[name] ?? [];
  return own.filter((entry) => entry.family === 'IPv4' && !entry.internal).map((entry) => entry.address);
}

function withInterface(nodeIp: string, interfaces: Interfaces): NodeAddress {
  if (!isIPv4(nodeIp)) throw new NodeAddressUnknownError(`"${nodeIp}" is not an IPv4 address`);
  const name = Object.keys(interfaces).find((other) => addressesOf(other, interfaces).includes(nodeIp));
  if (name === undefined) throw new NodeAddressUnknownError(`no interface of this box has ${nodeIp}`);
  return { nodeIp, defaultInterface: name };
}

/** What the kernel would send from; connecting a datagram socket sends nothing. */
async function sourceAddress(): Promise<string | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(53, '192.0.2.1');
    await once(socket, 'connect');
    return socket.address().address;
  } catch {
    return undefined; // no route: the first address will do
  } finally {
    socket.close();
  }
}

const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The host name in lower case, as the kubelet would have it. @throws {NodeNameInvalidError} */
export function nodeName(wanted: string | undefined, host = hostname()): string {
  const name = wanted ?? host.toLowerCase();
  if (!dnsSubdomain.test(name)) throw new NodeNameInvalidError(name);
  return name;
}
