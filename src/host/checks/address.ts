import { isIPv4 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { NetworkInterfaceInfo } from 'node:os';
import { contains } from '../../shared/ipv4/ipv4.ts';
import { isNodeName } from '../../shared/node-name.ts';
import { addressTowards } from '../probe/probe.ts';
import { deviceKind, isInternalName } from './devices.ts';
import type { DeviceKind } from './devices.ts';
import { NodeAddressUnknownError, NodeNameInvalidError } from './errors.ts';
import type { HostRoot } from './root.ts';
import { defaultRoute, routesOf } from './routes.ts';
import type { Route } from './routes.ts';

export interface NodeAddress {
  readonly nodeIp: string;
  /** Of flannel's traffic, too. */
  readonly defaultInterface: string;
  /** By which other nodes reach flannel, where `--flannel-iface` names an interface without the node's address. */
  readonly flannelIp?: string;
}

/** What decides about a node's address. */
export interface WantedAddress {
  /** `--node-ip` */
  readonly nodeIp?: string | undefined;
  /** `--flannel-iface` */
  readonly interfaceName?: string | undefined;
  /** The one this node has had. */
  readonly kept?: string | undefined;
  /** The server's, in IPv4, of a node that joins one. */
  readonly serverIp?: string | undefined;
}

/** The network that is reached directly from `address`, as `10.0.0.5/24`; none where this host does not have the address. */
export function networkOf(address: string, interfaces: Interfaces = networkInterfaces()): readonly string[] {
  const all = Object.values(interfaces).flatMap((infos) => infos ?? []);
  return all.flatMap((info) => (info.address === address && info.cidr !== null ? [info.cidr] : []));
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

interface Candidate extends NodeAddress {
  readonly kind: DeviceKind;
  /** The network that is reached directly. */
  readonly cidr: string;
}

/**
 * The address other nodes reach this one by:
 * 1 as told; 2 on the server's own network, if a card is on it; 3 the one this node has had, as long as the host has it;
 * 4 what the kernel sends from to the server; 5 what the default route sends from; 6 the only one there is.
 * @throws {NodeAddressUnknownError}
 */
export async function nodeAddress(
  wanted: WantedAddress,
  root: HostRoot,
  interfaces: Interfaces = networkInterfaces(),
  sourceTowards: (address: string) => Promise<string> = addressTowards,
): Promise<NodeAddress> {
  if (wanted.nodeIp !== undefined) return asTold(wanted.nodeIp, wanted.interfaceName, interfaces);
  if (wanted.interfaceName !== undefined) return ofInterface(wanted.interfaceName, wanted.kept, interfaces);
  const uplink = defaultRoute(routesOf(root.read('/proc/net/route') ?? ''));
  const all = candidates(root, interfaces, uplink);
  const usable = all.filter((one) => !isOnlyForGoingOut(one, uplink, all));
  const sender = async (to: string) => {
    const source = await sourceTowards(to).catch(() => undefined); // no route
    return usable.find(({ nodeIp }) => nodeIp === source);
  };
  const kept = usable.find(({ nodeIp }) => nodeIp === wanted.kept);
  const { serverIp } = wanted;
  if (serverIp !== undefined) {
    const towards = await sender(serverIp);
    const isNeighbour = ({ cidr }: Candidate) => contains(cidr, serverIp);
    const chosen = [kept, towards].find((one) => one !== undefined && isNeighbour(one)) ?? kept ?? towards;
    if (chosen !== undefined) return addressOf(chosen);
  }
  if (kept !== undefined) return addressOf(kept);
  if (uplink === undefined) return addressOf(theOnlyOne(usable));
  const isOnUplink = ({ defaultInterface }: Candidate) => defaultInterface === uplink.device;
  const [only, ...more] = usable.filter(isOnUplink);
  if (only === undefined && !all.some(isOnUplink))
    throw new NodeAddressUnknownError(`the interface ${uplink.device} has no IPv4 address`);
  const sent = more.length > 0 ? await sender(outside) : undefined;
  return addressOf(sent ?? only ?? firstCard(usable));
}

/** An address that only the default route leads to; connecting a datagram socket sends nothing. */
const outside = '192.0.2.1';

/** Every address by which this host can be reached that is no container's or virtual machine's. */
export function hostAddresses(root: HostRoot, interfaces: Interfaces = networkInterfaces()): readonly NodeAddress[] {
  const uplink = defaultRoute(routesOf(root.read('/proc/net/route') ?? ''));
  return candidates(root, interfaces, uplink).map(addressOf);
}

/** How a host goes out is never internal, unless by name. */
function candidates(root: HostRoot, interfaces: Interfaces, uplink: Route | undefined): readonly Candidate[] {
  return Object.keys(interfaces).flatMap((name): readonly Candidate[] => {
    const kind = deviceKind(name, root);
    const isUplink = name === uplink?.device && !isInternalName(name);
    if (kind === 'internal' && !isUplink) return [];
    return addressesOf(name, interfaces).map(({ address, cidr }) => ({
      nodeIp: address,
      defaultInterface: name,
      kind: isUplink ? 'card' : kind,
      cidr: cidr ?? `${address}/32`,
    }));
  });
}

const userNetwork = { cidr: '10.0.2.0/24', gateway: '10.0.2.2' };

/**
 * QEMU's and VirtualBox's user network: every machine has the same address there, and none reaches another. It is a
 * node's only if there is no other card.
 */
function isOnlyForGoingOut(one: Candidate, uplink: Route | undefined, all: readonly Candidate[]): boolean {
  if (!contains(userNetwork.cidr, one.nodeIp) || uplink?.gateway !== userNetwork.gateway) return false;
  return all.some((other) => other.kind === 'card' && other.defaultInterface !== one.defaultInterface);
}

function theOnlyOne(usable: readonly Candidate[]): Candidate {
  const cards = usable.filter((one) => one.kind === 'card');
  const all = cards.length > 0 ? cards : usable;
  const [only, ...others] = all;
  if (only === undefined) throw new NodeAddressUnknownError('there is no interface with an IPv4 address but loopback');
  if (others.length > 0) {
    const list = all.map((entry) => `${entry.nodeIp} (${entry.defaultInterface})`).join(', ');
    throw new NodeAddressUnknownError(`there is no default route and more than one address: ${list}`);
  }
  return only;
}

/** A card that only leads out of the host's network, beside another one. */
function firstCard(usable: readonly Candidate[]): Candidate {
  const found = usable.find((one) => one.kind === 'card');
  if (found === undefined) throw new TypeError('there is no card');
  return found;
}

function addressOf({ nodeIp, defaultInterface }: Candidate): NodeAddress {
  return { nodeIp, defaultInterface };
}

function addressesOf(name: string, interfaces: Interfaces): readonly NetworkInterfaceInfo[] {
  return (interfaces[name] ?? []).filter((entry) => entry.family === 'IPv4' && !entry.internal);
}

function ofInterface(name: string, kept: string | undefined, interfaces: Interfaces): NodeAddress {
  const own = addressesOf(name, interfaces).map(({ address }) => address);
  const nodeIp = own.find((address) => address === kept) ?? own[0];
  if (nodeIp === undefined) throw new NodeAddressUnknownError(`the interface ${name} has no IPv4 address`);
  return { nodeIp, defaultInterface: name };
}

function asTold(nodeIp: string, interfaceName: string | undefined, interfaces: Interfaces): NodeAddress {
  if (!isIPv4(nodeIp)) throw new NodeAddressUnknownError(`"${nodeIp}" is not an IPv4 address`);
  const has = (name: string) => addressesOf(name, interfaces).some(({ address }) => address === nodeIp);
  const name = Object.keys(interfaces).find(has);
  if (name === undefined) throw new NodeAddressUnknownError(`no interface of this box has ${nodeIp}`);
  if (interfaceName === undefined || has(interfaceName)) return { nodeIp, defaultInterface: interfaceName ?? name };
  const flannel = ofInterface(interfaceName, undefined, interfaces);
  return { nodeIp, defaultInterface: interfaceName, flannelIp: flannel.nodeIp };
}

/** The host name in lower case, as the kubelet would have it. @throws {NodeNameInvalidError} */
export function nodeName(wanted: string | undefined, host = hostname()): string {
  const name = wanted ?? host.toLowerCase();
  if (!isNodeName(name)) throw new NodeNameInvalidError(name);
  return name;
}
