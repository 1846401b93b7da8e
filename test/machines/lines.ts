import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** The lines a peer sends; they end with the connection, however it ends. */
export function linesOf(socket: Socket): AsyncIterator<string> {
  const reader = createInterface({ input: socket });
  socket.on('error', () => {}); // 'close' follows
  socket.once('close', () => reader.close());
  return reader[Symbol.asyncIterator]();
}
