import type { TunnelEnd } from '../../shared/protocol/probe.ts';

/** flannel's network number. */
const vni = 1;
const vxlanHeader = 8;
const ethernetHeader = 14;
const ipHeader = 20;
const udpHeader = 8;

/** What VXLAN, and the frame in it, add to the data. */
export const vxlanBytes = vxlanHeader + ethernetHeader + ipHeader + udpHeader;

const ipv4Type = 0x0800;
const udpProtocol = 17;
/** Of nobody: locally administered. */
const sourceMac = '02:00:00:00:00:01';

/** The payload of a UDP packet to a VXLAN device: a frame with a UDP packet for the device's own address. */
export function vxlanPacket(options: {
  readonly tunnel: TunnelEnd;
  readonly source: string;
  readonly port: number;
  readonly data: Buffer;
}): Buffer {
  const { tunnel, source, port, data } = options;
  const vxlan = Buffer.alloc(vxlanHeader);
  vxlan.writeUInt8(0x08, 0); // the network number is valid
  vxlan.writeUInt32BE(vni << 8, 4);
  const ethernet = Buffer.concat([macBytes(tunnel.mac), macBytes(sourceMac), Buffer.from([ipv4Type >> 8, 0])]);
  const udp = Buffer.alloc(udpHeader); // without a checksum, which IPv4 allows
  udp.writeUInt16BE(port, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(udpHeader + data.length, 4);
  return Buffer.concat([vxlan, ethernet, ipv4(source, tunnel.address, udpHeader + data.length), udp, data]);
}

function ipv4(source: string, destination: string, length: number): Buffer {
  const header = Buffer.alloc(ipHeader);
  header.writeUInt8(0x45, 0); // version 4, five words
  header.writeUInt16BE(ipHeader + length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(udpProtocol, 9);
  Buffer.from(source.split('.').map(Number)).copy(header, 12);
  Buffer.from(destination.split('.').map(Number)).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

/** @see RFC 1071 */
function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}
