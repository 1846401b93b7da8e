import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { GrpcError } from './errors.ts';

export interface GrpcCall {
  readonly socketPath: string;
  /** `package.Service/Method` */
  readonly method: string;
  readonly message?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

const prefixBytes = 5; // compressed flag, then the length as four bytes

/** One question, one answer, over a connection of its own: for the few calls a start makes. @throws {GrpcError} */
export async function unaryCall(call: GrpcCall, signal: AbortSignal): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const fail = (cause: unknown) => reject(new GrpcError(call.method, 14, String(cause), { cause }));
  const session = connect('http://localhost', { createConnection: () => createConnection(call.socketPath) });
  session.once('error', fail);
  try {
    const stream = session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: `/${call.method}`,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        te: 'trailers',
        ...call.headers,
      },
      { signal },
    );
    const chunks: Buffer[] = [];
    let status: { code: number; message: string } | undefined;
    const readStatus = (headers: IncomingHttpHeaders) => {
      if (headers['grpc-status'] === undefined) return;
      status = { code: Number(headers['grpc-status']), message: [headers['grpc-message'] ?? ''].flat().join() };
    };
    stream.on('response', readStatus); // an answer without a body has its status here
    stream.on('trailers', readStatus);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', fail);
    stream.once('end', () => {
      if (status?.code === 0) resolve(Buffer.concat(chunks).subarray(prefixBytes));
      else
        reject(new GrpcError(call.method, status?.code ?? 14, status?.message ?? 'the stream ended without a status'));
    });
    stream.end(framed(call.message ?? new Uint8Array()));
    return await promise;
  } finally {
    session.destroy();
  }
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(prefixBytes + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}
