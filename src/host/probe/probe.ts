/**
 * @module
 * UDP packets that tell what the path between two boxes lets through: how large, and at the port of the pods' network.
 * Knows: the packets, VXLAN around them, a socket that collects them. Leaves to others: who may ask for them (server/),
 * what it means when they do not come (host/doctor).
 * Spec: RFC 7348. The kernel holds the port of a VXLAN device, so that no program can listen there. A packet for the
 * device itself, inside VXLAN as every pod's is, comes out of it again and to an ordinary socket.
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCode } from '../../shared/errors.ts';
import { addressAt, range4 } from '../../shared/ipv4/ipv4.ts';
import type { TunnelEnd } from '../../shared/protocol/probe.ts';
import { vxlanBytes, vxlanPacket } from './vxlan.ts';

export const vxlanPort = 8472;
const vxlanDevice = 'flannel.1';

/** As IP counts them: what IPv4 and IPv6 guarantee, what is left by usual tunnels, DSL, Ethernet, jumbo frames. */
const usualSizes = [576, 1000, 1280, 1350, 1400, 1420, 1450, 1472, 1492, 1500, 4000, 9000];
const largestSize = 9000;
const copies = 3; // one lost packet says nothing
const betweenMs = 2;
const ipUdpBytes = 28;

/** What is sent over a path whose ends have these MTUs: the smaller of them is the last. */
export function probeSizes(mtus: readonly number[]): readonly number[] {
  const largest = Math.min(...mtus, largestSize);
  return [...usualSizes.filter((size) => size < largest), largest];
}

export interface ProbeSocket {
  readonly port: number;
  /** Sizes that have come in so far. */
  seen(): readonly number[];
  send(to: ProbeTarget, sizes: readonly number[], signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** Through this device's VXLAN. */
  readonly tunnel?: TunnelEnd | undefined;
  /** Out of which range the sender's address inside is taken; a firewall lets pods' addresses through. */
  readonly clusterCidr: string;
}

/** Listens at the pods' network's own port if nobody has it. @param id marks the packets that count */
export async function openProbeSocket(id: string): Promise<ProbeSocket> {
  const socket = await bindUdp(vxlanPort).catch(async (error: unknown) => {
    if (systemCode(error) !== 'EADDRINUSE') throw error;
    return await bindUdp(0);
  });
  const sizes = new Set<number>();
  socket.on('message', (message) => {
    const size = sizeIn(message, id);
    if (size !== undefined) sizes.add(size);
  });
  socket.on('error', () => {}); // an ICMP answer to a packet of ours: what does not come is what counts
  return {
    port: socket.address().port,
    seen: () => [...sizes].toSorted((a, b) => a - b),
    async send(to, wanted, signal) {
      for (const size of wanted) {
        for (let copy = 0; copy < copies; copy++) {
          if (signal.aborted) return;
          const { message, port } = packet(to, id, size);
          socket.send(message, port, to.address, () => {}); // EMSGSIZE and the like are packets that do not come
          await delay(betweenMs);
        }
      }
    },
    close: () => void socket.close(),
  };
}

/** On every address of this host. @param port 0: any free one */
export async function bindUdp(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port);
    await once(socket, 'listening');
    return socket.unref();
  } catch (error) {
    socket.close();
    throw error;
  }
}

function packet(to: ProbeTarget, id: string, size: number): { readonly message: Buffer; readonly port: number } {
  const { tunnel, port, clusterCidr } = to;
  const overhead = ipUdpBytes + (tunnel === undefined ? 0 : vxlanBytes);
  const data = Buffer.alloc(size - overhead);
  data.write(`${id} ${size}\n`);
  if (tunnel === undefined) return { message: data, port };
  const { first, last } = range4(clusterCidr);
  const source = addressAt(clusterCidr, Math.max(0, last - first - 1));
  return { message: vxlanPacket({ tunnel, source, port, data }), port: vxlanPort };
}

function sizeIn(message: Buffer, id: string): number | undefined {
  const [line = ''] = message.toString('latin1', 0, 100).split('\n', 1);
  const [theirs, size] = line.split(' ');
  return theirs === id && size !== undefined ? Number(size) : undefined;
}

/** This box's own device, if packets out of it reach a program: strict reverse-path checks drop them. */
export function localTunnel(): TunnelEnd | undefined {
  const own = networkInterfaces()[vxlanDevice]?.find(({ family }) => family === 'IPv4');
  if (own === undefined || isStrict()) return undefined;
  return { address: own.address, mac: own.mac };
}

/** The larger of the two settings applies; 1 is strict. */
function isStrict(): boolean {
  const values = ['all', vxlanDevice].map((name) => Number(read(`/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0));
  return Math.max(...values) === 1;
}

/** What the kernel would send from; connecting a datagram socket sends nothing. */
export async function addressTowards(host: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.connect(vxlanPort, host);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** The MTU of the interface that has this address; Ethernet's where that cannot be seen. */
export function mtuOf(address: string): number {
  const name = Object.entries(networkInterfaces()).find(([, own]) => own?.some((one) => one.address === address))?.[0];
  return Number(read(`/sys/class/net/${name ?? ''}/mtu`) ?? 1500);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
