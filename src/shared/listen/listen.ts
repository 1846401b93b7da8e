/**
 * @module
 * Listening: on a socket file that is root's alone, or on a port that another program may have.
 */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { makeFolder } from '../files/files.ts';
import { systemCode } from '../errors.ts';

/** The address at which this host itself reaches who listens on `bindAddress`. */
export function listeningAt(bindAddress: string): string {
  return ['', '0.0.0.0', '::'].includes(bindAddress) ? '127.0.0.1' : bindAddress;
}

export interface PrivateSocket {
  /** May connect beside root; by its number. */
  readonly group?: number | undefined;
  readonly backlog?: number;
}

/**
 * Takes the place of a file that an earlier process left; the caller knows that nobody listens there any more.
 * The socket is made in a folder that nobody else can enter and moved when it has its mode: it is never open to others, not for
 * a moment. The umask would do that too, but it is the whole process's, and what other threads make meanwhile would have it.
 */
export async function listenPrivately(server: Server, path: string, options: PrivateSocket = {}): Promise<void> {
  const { group, backlog } = options;
  makeFolder(dirname(path), 0o755);
  const folder = mkdtempSync(join(dirname(path), '.'));
  const made = join(folder, 's');
  try {
    server.listen({ path: made, ...(backlog !== undefined && { backlog }) });
    await once(server, 'listening');
    if (group !== undefined) chownSync(made, 0, group);
    chmodSync(made, group === undefined ? 0o600 : 0o660);
    renameSync(made, path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { ino } = statSync(path);
  server.once('close', () => {
    if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
  });
}

/** Many that come at once wait here, and not for their next packet; the kernel lowers it to its own most. */
const backlog = 4096;

/** @throws what `taken` makes of it where another program has the port */
export function listenOnPort(
  server: Server,
  { address, port }: { readonly address: string; readonly port: number },
  taken: (cause: unknown) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(systemCode(error) === 'EADDRINUSE' ? taken(error) : error));
    server.listen({ port, host: address, backlog }, resolve);
  });
}
