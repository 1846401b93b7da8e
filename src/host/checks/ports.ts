import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PortTakenError } from './errors.ts';
import { hostRoot } from './root.ts';
import type { HostRoot } from './root.ts';
import { namesIfReadable } from '../../shared/files/files.ts';

export interface PortNeed {
  readonly port: number;
  /** Which part listens there: `kube-apiserver`. */
  readonly purpose: string;
  /** Where it listens; on every address unless said. */
  readonly address?: string;
}

export interface ListeningSocket {
  /** In dots, or `::1`; undefined: every address, or another one of IPv6. */
  readonly address?: string;
  readonly port: number;
  readonly inode: string;
}

/** The state of a socket that takes what comes: TCP_LISTEN, and of UDP that of one without a peer. */
const listening = { tcp: '0A', udp: '07' } as const;
type Transport = keyof typeof listening;

/** The listening sockets of a `/proc/net/tcp`, `tcp6`, `udp` or `udp6` table. */
export function parseListening(table: string, transport: Transport = 'tcp'): readonly ListeningSocket[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local = '', , state] = fields;
      const inode = fields[9];
      if (state !== listening[transport] || inode === undefined) return [];
      const [host = '', port = ''] = local.split(':');
      const address = dotted(host);
      return [{ port: Number.parseInt(port, 16), inode, ...(address !== undefined && { address }) }];
    });
}

const loopback6 = '00000000000000000000000001000000';

/** The kernel writes an address as a number in the order of its own bytes, and IPv4 in an IPv6 socket as `::ffff:a.b.c.d`. */
function dotted(hex: string): string | undefined {
  if (hex === loopback6) return '::1';
  const mapped = /^(?:0{16}FFFF0000)?([\dA-F]{8})$/.exec(hex)?.[1];
  if (mapped === undefined || mapped === '00000000') return undefined;
  return [...Buffer.from(mapped, 'hex').reverse()].join('.');
}

/** Whether two cannot listen on one port. */
function collide(one: string | undefined, other: string | undefined): boolean {
  const every = [undefined, '0.0.0.0'];
  return one === other || every.includes(one) || every.includes(other);
}

/** One problem for each needed port that somebody listens on. */
export function portProblems(needs: readonly PortNeed[], root: HostRoot = hostRoot()): readonly PortTakenError[] {
  const sockets = socketsOf('tcp', root);
  return needs.flatMap(({ port, purpose, address }) => {
    const socket = sockets.find((candidate) => candidate.port === port && collide(candidate.address, address));
    return socket === undefined ? [] : [new PortTakenError(port, purpose, socketOwner(socket.inode, root))];
  });
}

const goneWithinMs = 3000;

/**
 * The same for a start. A program that was killed a moment ago is gone before its sockets are: where nobody can be seen at the
 * ports, they are looked at again for a while.
 */
export async function lastingPortProblems(
  needs: readonly PortNeed[],
  root: HostRoot = hostRoot(),
): Promise<readonly PortTakenError[]> {
  const endMs = performance.now() + goneWithinMs;
  for (;;) {
    const problems = portProblems(needs, root);
    const mayEnd = problems.length > 0 && problems.every(({ owner }) => owner === undefined);
    if (!mayEnd || performance.now() > endMs) return problems;
    await delay(50);
  }
}

/** Who listens on a TCP port: `nginx (pid 812)`. */
export function portOwner(port: number, root: HostRoot): string | undefined {
  const socket = socketsOf('tcp', root).find((candidate) => candidate.port === port);
  return socket === undefined ? undefined : socketOwner(socket.inode, root);
}

/** Who takes what comes to a port of these addresses: `nginx (pid 812)`. Undefined for a protocol other than TCP and UDP. */
export function listeningOwner(
  { protocol, port }: { readonly protocol: string; readonly port: number },
  addresses: readonly string[],
  root: HostRoot,
): string | undefined {
  const transport = protocol.toLowerCase();
  if (transport !== 'tcp' && transport !== 'udp') return undefined;
  const socket = socketsOf(transport, root).find(
    (candidate) => candidate.port === port && addresses.some((address) => collide(candidate.address, address)),
  );
  if (socket === undefined) return undefined;
  return socketOwner(socket.inode, root) ?? 'a program of another namespace';
}

function socketsOf(transport: Transport, root: HostRoot): readonly ListeningSocket[] {
  return [transport, `${transport}6`].flatMap((name) =>
    parseListening(root.read(`/proc/net/${name}`) ?? '', transport),
  );
}

function socketOwner(inode: string, root: HostRoot): string | undefined {
  const link = `socket:[${inode}]`;
  const pid = namesIfReadable(root.path('/proc'))
    .filter((name) => /^\d+$/.test(name))
    .find((name) => holds(root.path(`/proc/${name}/fd`), link));
  if (pid === undefined) return undefined;
  return `${root.read(`/proc/${pid}/comm`)?.trim() ?? 'a process'} (pid ${pid})`;
}

function holds(dir: string, link: string): boolean {
  return namesIfReadable(dir).some((name) => {
    try {
      return readlinkSync(join(dir, name)) === link;
    } catch {
      return false; // it was closed meanwhile, as the one this list was read through
    }
  });
}
