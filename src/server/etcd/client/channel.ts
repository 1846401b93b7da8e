/** gRPC calls from here to an etcd: over a unix socket or plain TCP on this host. */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { ProtoReader } from '../../store/store.ts';
import type { ProtoWriter } from '../../store/store.ts';
import { EtcdCallError } from '../errors.ts';
import { FrameReader, newMessage, toFrame } from '../grpc.ts';
import { parseListenAddress } from '../listen.ts';
import type { ListenAddress } from '../listen.ts';
import { grpcCodes } from '../status.ts';

export type Write = (message: ProtoWriter) => void;

/** A call that both sides keep open. */
export interface ClientStream {
  send(write: Write): void;
  /** No more requests; answers still come. */
  end(): void;
  cancel(): void;
  /** The answers, until the server ends the call. @throws {EtcdCallError} */
  readonly messages: AsyncIterable<ProtoReader>;
}

export class EtcdChannel {
  private readonly address: ListenAddress;
  private session: ClientHttp2Session | undefined;

  /** `unix:///PATH` or `http://127.0.0.1:PORT`; connects with the first call, and again when the connection was lost. */
  constructor(address: string) {
    this.address = parseListenAddress(address);
  }

  /** @throws {EtcdCallError} */
  async unary<T>(path: string, write: Write, read: (reply: ProtoReader) => T): Promise<T> {
    const stream = this.open(path);
    stream.send(write);
    stream.end();
    let result: { readonly value: T } | undefined;
    for await (const message of stream.messages) result = { value: read(message) };
    if (result === undefined) throw new EtcdCallError(grpcCodes.internal, 'the call ended without an answer');
    return result.value;
  }

  open(path: string): ClientStream {
    const stream = this.connected().request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const inbox = new Inbox();
    listen(stream, inbox);
    return {
      send: (write) => {
        const message = newMessage();
        write(message);
        stream.write(toFrame(message));
      },
      end: () => stream.end(),
      cancel: () => stream.close(8),
      messages: inbox,
    };
  }

  async close(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    if (session === undefined || session.destroyed) return;
    await new Promise<void>((resolve) => {
      session.once('close', resolve);
      session.destroy();
    });
  }

  private connected(): ClientHttp2Session {
    if (this.session !== undefined && !this.session.closed && !this.session.destroyed) return this.session;
    const { address } = this;
    const isUnix = address.kind === 'unix';
    const session = connectHttp2(isUnix ? 'http://localhost' : `http://${address.host}:${address.port}`, {
      createConnection: () =>
        connectSocket(isUnix ? { path: address.path } : { host: address.host, port: address.port }),
      settings: { initialWindowSize: 4 << 20 },
    });
    session.on('error', () => {}); // each call hears of it by itself
    this.session = session;
    return session;
  }
}

function listen(stream: ClientHttp2Stream, inbox: Inbox): void {
  const frames = new FrameReader(Infinity);
  let status: { readonly code: number; readonly message: string } | undefined;
  const takeStatus = (headers: IncomingHttpHeaders): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) status = { code: Number(code), message: decodeURI(String(headers['grpc-message'] ?? '')) };
  };
  stream.on('response', takeStatus);
  stream.on('trailers', takeStatus);
  stream.on('data', (chunk: Buffer) => frames.push(chunk, (bytes) => inbox.push(Buffer.from(bytes))));
  let cause: unknown;
  stream.on('error', (error) => (cause = error));
  stream.on('close', () => {
    const end = status ?? { code: grpcCodes.unavailable, message: 'the connection was lost' };
    inbox.end(end.code === grpcCodes.ok ? undefined : new EtcdCallError(end.code, end.message, { cause }));
  });
}

/** What has come and was not taken yet. */
class Inbox implements AsyncIterable<ProtoReader> {
  private readonly queue: Buffer[] = [];
  private wake = (): void => {};
  private outcome: { readonly error: Error | undefined } | undefined;

  push(message: Buffer): void {
    this.queue.push(message);
    this.wake();
  }

  end(error: Error | undefined): void {
    this.outcome = { error };
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProtoReader> {
    for (;;) {
      const message = this.queue.shift();
      if (message !== undefined) yield new ProtoReader(message);
      else if (this.outcome?.error !== undefined) throw this.outcome.error;
      else if (this.outcome !== undefined) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
