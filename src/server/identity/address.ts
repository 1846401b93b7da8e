import { BlockList, isIP, SocketAddress } from 'node:net';

/** Loopback is everybody's, and nobody is reached at 0.0.0.0 or a multicast group. */
export function isNodeAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return !unusable.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** One address has one text: `fd00:0::1` and `FD00::1` are the same, and so are `::ffff:10.0.0.5` and `10.0.0.5`. */
export function canonical(address: string): string {
  if (isIP(address) !== 6) return address;
  const text = new SocketAddress({ address, family: 'ipv6' }).address;
  return text.replace(/^::ffff:(?=\d+\.)/, '');
}

const unusable = new BlockList();
unusable.addSubnet('127.0.0.0', 8, 'ipv4');
unusable.addSubnet('0.0.0.0', 8, 'ipv4');
unusable.addSubnet('224.0.0.0', 3, 'ipv4');
unusable.addAddress('::1', 'ipv6');
unusable.addAddress('::', 'ipv6');
unusable.addSubnet('ff00::', 8, 'ipv6');
