/**
 * @module
 * TCP connections, and two of them made one: what comes out of either goes into the other, held back where it cannot be written.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const keepAliveMs = 15_000;

/** Until both have ended; the failure of one ends the other. @returns when nothing of either is left */
export async function joinStreams(a: Duplex, b: Duplex): Promise<void> {
  for (const stream of [a, b]) steady(stream);
  const closed = [a, b].map((stream) => new Promise<void>((resolve) => stream.once('close', () => resolve())));
  pump(a, b);
  pump(b, a);
  await Promise.all(closed);
}

/** As `pipe`, which says nothing of how much has passed. */
function pump(from: Duplex, to: Duplex): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause();
    tidy(chunk.length);
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
  from.on('error', () => to.destroy());
  from.once('close', () => (from.readableEnded ? to.end() : to.destroy()));
}

const tidyEveryBytes = 16 * 1024 * 1024;
let passedBytes = 0;

/**
 * Each read leaves a buffer behind that V8 sees a few hundred bytes of, so it collects them late: 70 MiB of them were there
 * while a large file passed. Collecting the young ones takes a millisecond.
 */
function tidy(chunkBytes: number): void {
  passedBytes += chunkBytes;
  if (passedBytes < tidyEveryBytes) return;
  passedBytes = 0;
  globalThis.gc?.({ type: 'minor' });
}

/** Small writes leave at once, and a peer that has vanished is noticed. */
function steady(stream: Duplex): void {
  const { setNoDelay, setKeepAlive } = stream as Partial<Socket>;
  setNoDelay?.call(stream, true);
  setKeepAlive?.call(stream, true, keepAliveMs);
}

/** @throws Node's system errors, or one that says that nobody answered within `withinMs` */
export function dial(target: {
  readonly host: string;
  readonly port: number;
  readonly withinMs: number;
}): Promise<Socket> {
  const { host, port, withinMs } = target;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: withinMs, noDelay: true });
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.once('error', reject);
  });
}
