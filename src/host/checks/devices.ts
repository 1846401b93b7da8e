import { readdirSync } from 'node:fs';
import type { HostRoot } from './root.ts';
import { numberIn } from './root.ts';

/**
 * card: a network card, or what stands for one (bond, VLAN, bridge with a card in it, a container's own end of a veth).
 * other: a VPN or the like: its address is a node's only if a route or the operator says so.
 * internal: of containers or virtual machines on this host: never a node's address.
 */
export type DeviceKind = 'card' | 'other' | 'internal';

/** Devices of kagent itself and of the pods. */
export const ownDevice = /^(lo|cni0|flannel[.-].*|veth.*|kube-.*)$/;

/** For those whose kind the kernel does not tell, as other programs name them. */
const internalName =
  /^(docker\d|docker_gwbridge|br-[0-9a-f]{12}|virbr\d|vnet\d|lxc|lxdbr|incusbr|podman\d|nerdctl\d|cni\d|cilium_|cali|tunl\d|weave|antrea|nodelocaldns|dummy\d|ifb\d)/;

const loopback = 772; // ARPHRD_LOOPBACK
const cardTypes: readonly number[] = [1, 32]; // ARPHRD_ETHER, ARPHRD_INFINIBAND

/** By what sysfs says of the device; by its name where that says nothing. */
export function deviceKind(name: string, root: HostRoot): DeviceKind {
  const dir = `/sys/class/net/${name}`;
  const isThere = (file: string) => root.realPath(`${dir}/${file}`) !== undefined;
  if (isInternalName(name) || isThere('master/bridge')) return 'internal';
  if (isThere('bridge')) return portsOf(dir, root).some((port) => isUplink(port, root)) ? 'card' : 'internal';
  const type = numberIn(root, `${dir}/type`);
  const kernelKind = /^DEVTYPE=(\S+)$/m.exec(root.read(`${dir}/uevent`) ?? '')?.[1];
  if (type === loopback || kernelKind === 'vxlan' || kernelKind === 'geneve') return 'internal';
  if (isThere('tun_flags') || kernelKind === 'wireguard') return 'other';
  if (type !== undefined && !cardTypes.includes(type)) return 'other';
  const isBare = type !== undefined && !isThere('device') && !isThere('bonding');
  return isBare && !isOnAnother(dir, root) ? 'other' : 'card';
}

export function isInternalName(name: string): boolean {
  return ownDevice.test(name) || internalName.test(name);
}

/** A VLAN or macvlan stands on a card, and a veth has its other end elsewhere; a dummy has nothing. */
function isOnAnother(dir: string, root: HostRoot): boolean {
  return numberIn(root, `${dir}/iflink`) !== numberIn(root, `${dir}/ifindex`);
}

function portsOf(dir: string, root: HostRoot): readonly string[] {
  try {
    return readdirSync(root.path(`${dir}/brif`));
  } catch {
    return [];
  }
}

/** A port of a bridge that leads to the network outside, not to a container or a virtual machine. */
function isUplink(port: string, root: HostRoot): boolean {
  const dir = `/sys/class/net/${port}`;
  const isVlan = /^DEVTYPE=vlan$/m.test(root.read(`${dir}/uevent`) ?? '');
  return isVlan || ['device', 'bonding'].some((file) => root.realPath(`${dir}/${file}`) !== undefined);
}
