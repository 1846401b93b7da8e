/** Just enough HTTP/2 to misbehave: frames as bytes, on a socket of our own. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { frameTypes, writeFrameHeader } from '../../src/datastore/http2/frames.ts';
import { encodeHeaders } from '../../src/datastore/http2/http2.ts';

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  writeFrameHeader(header, 0, { type, flags, streamId }, payload.length);
  return Buffer.concat([header, payload]);
}

export const settings = (payload?: Uint8Array): Buffer => frame(frameTypes.settings, 0, 0, payload);

/** A gRPC request: its headers, and one message that ends it. */
export function grpcRequest(streamId: number, path: string, message: Uint8Array): Buffer {
  const head = encodeHeaders([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const body = Buffer.concat([prefix, message]);
  const frames = [frame(frameTypes.headers, 0x4, streamId, head)];
  for (let at = 0; at < body.length; at += 16_384) {
    const isLast = at + 16_384 >= body.length;
    frames.push(frame(frameTypes.data, isLast ? 0x1 : 0, streamId, body.subarray(at, at + 16_384)));
  }
  return Buffer.concat(frames);
}

/** Connected; nobody reads from it unless the caller does. Errors are the caller's subject, and so not thrown. */
export async function rawSocket(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}
