/**
 * Where the server listens: `unix:///path`, `http://127.0.0.1:2379` or `https://HOST:2379`; never in the clear beyond this
 * host, and beyond it only for clients with a certificate.
 */
import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { makeFolder } from '../../shared/files/files.ts';
import { systemCode } from '../../shared/errors.ts';
import { listenPrivately } from '../../shared/listen/listen.ts';
import { InvalidListenAddressError, ListenAddressInUseError } from './errors.ts';

export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly isTls: boolean };

/** In PEM. With `trustedCa` clients have to show a certificate that it signed. */
export interface ListenTls {
  readonly cert: string;
  readonly key: string;
  readonly trustedCa?: string;
}

/** @throws {InvalidListenAddressError}, too, where it is plain TCP beyond this host */
export function parseListenAddress(text: string): ListenAddress {
  const address = parseAddress(text);
  if (address.kind === 'tcp' && !address.isTls && !isLoopback(address.host)) {
    throw new InvalidListenAddressError(text, 'plain TCP is for loopback addresses alone');
  }
  return address;
}

/** @throws {InvalidListenAddressError} */
export function parseAddress(text: string): ListenAddress {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) {
    // The kernel's limit for sun_path, with its closing zero byte.
    if (Buffer.byteLength(path) > 107) throw new InvalidListenAddressError(text, 'the path is longer than 107 bytes');
    return { kind: 'unix', path };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidListenAddressError(text, 'it is neither unix:///PATH nor http:// nor https://');
  }
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // URL leaves a scheme's own port out, which here is no default.
  const port = Number(/:(\d+)\/?$/.exec(text)?.[1] ?? 2379);
  return { kind: 'tcp', host, port, isTls };
}

/** @throws {InvalidListenAddressError} where TLS is wanted and cannot be had, or would let anybody in */
export function checkTls(address: ListenAddress, tls: ListenTls | undefined): void {
  if (address.kind === 'unix' || !address.isTls) return;
  if (tls === undefined) {
    throw new InvalidListenAddressError(nameOf(address), 'TLS needs --cert-file and --key-file');
  }
  if (tls.trustedCa === undefined && !isLoopback(address.host)) {
    throw new InvalidListenAddressError(
      nameOf(address),
      'beyond this host clients have to show a certificate: give the CA that signs them with --trusted-ca-file',
    );
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Connections that wait to be accepted; the kernel's own limit (`somaxconn`, 4096) holds too. Beyond it a client of a
 * unix socket is not made to wait but refused with EAGAIN, and kube-apiserver opens a hundred at once.
 */
const backlog = 4096;

/** @param group may use a unix socket beside root @throws {ListenAddressInUseError} */
export async function bindSocket(server: Server, address: ListenAddress, group?: number): Promise<void> {
  if (address.kind === 'unix') {
    await removeStale(address.path);
    return listenPrivately(server, address.path, { group, backlog });
  }
  const { host, port } = address;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        systemCode(error) === 'EADDRINUSE' ? new ListenAddressInUseError(nameOf(address), { cause: error }) : error,
      ),
    );
    server.listen({ host, port, backlog }, resolve);
  });
}

function nameOf(address: ListenAddress): string {
  if (address.kind === 'unix') return address.path;
  return `${address.isTls ? 'https' : 'http'}://${address.host}:${address.port}`;
}

/** A socket file outlives a killed process; it may go only if nobody answers on it. */
async function removeStale(path: string): Promise<void> {
  makeFolder(dirname(path), 0o700);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new InvalidListenAddressError(path, 'a file that is not a socket is there');
  if (await isAnswered(path)) throw new ListenAddressInUseError(path);
  await unlink(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
