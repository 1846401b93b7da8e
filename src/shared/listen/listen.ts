/**
 * @module
 * Listening: on a socket file that is root's alone, or on a port that another program may have.
 */
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';

/** Takes the place of a file that an earlier process left; the caller knows that nobody listens there any more. */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  const before = process.umask(0o177); // the socket is never open to others, not for a moment
  server.listen(path);
  await once(server, 'listening').finally(() => process.umask(before));
  chmodSync(path, 0o600);
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
