/** Calls to a gRPC server: over a unix socket, plain TCP on this host, or TLS. */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { ProtoReader } from '../protobuf/protobuf.ts';
import type { ProtoWriter } from '../protobuf/protobuf.ts';
import { FrameReader, newMessage, toFrame } from './frames.ts';
import { grpcCodes } from './status.ts';
import type { GrpcStatus } from './status.ts';
import { urlHost } from '../url-host.ts';

export type Write = (message: ProtoWriter) => void;

export type GrpcTarget =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'> };

/** A call that both sides keep open. */
export interface ClientStream {
  send(write: Write): void;
  /** No more requests; answers still come. */
  end(): void;
  cancel(): void;
  /** The answers, until the server ends the call. @throws what the channel makes of a status */
  readonly messages: AsyncIterable<ProtoReader>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GrpcChannelOptions {
  /** Servers of one cluster: when a connection is lost, the next one is tried. */
  readonly targets: readonly [GrpcTarget, ...GrpcTarget[]];
  /** A call that did not succeed, as whoever makes it words that. */
  readonly toError: (status: GrpcStatus, path: string, cause: unknown) => Error;
  /** The process may end while it is open, as with a timer that is. */
  readonly unref?: boolean;
}

export class GrpcChannel {
  readonly #options: GrpcChannelOptions;
  #session: ClientHttp2Session | undefined;
  #turn = 0;

  /** Connects with the first call, and again when the connection was lost. */
  constructor(options: GrpcChannelOptions) {
    this.#options = options;
  }

  /** @param path `/package.Service/Method` */
  async unary<T>(path: string, write: Write, read: (reply: ProtoReader) => T, options: CallOptions = {}): Promise<T> {
    const stream = this.open(path, options);
    stream.send(write);
    stream.end();
    let result: { readonly value: T } | undefined;
    for await (const message of stream.messages) result = { value: read(message) };
    if (result !== undefined) return result.value;
    const status = { code: grpcCodes.internal, message: 'the call ended without an answer' };
    throw this.#options.toError(status, path, undefined);
  }

  open(path: string, { signal, headers }: CallOptions = {}): ClientStream {
    const stream = this.#connected().request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      { ...(signal && { signal }) },
    );
    const inbox = new Inbox();
    listen(stream, inbox, (status, cause) => this.#options.toError(status, path, cause));
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
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined || session.destroyed) return;
    await new Promise<void>((resolve) => {
      session.once('close', resolve);
      session.destroy();
    });
  }

  #connected(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { targets } = this.#options;
    const target = targets[this.#turn % targets.length] ?? targets[0];
    const session = connectHttp2(authorityOf(target), {
      createConnection: () => connectTo(target),
      settings: { initialWindowSize: 4 << 20 },
    });
    session.on('error', () => {}); // each call hears of it by itself
    session.once('close', () => (this.#turn += 1));
    if (this.#options.unref === true) session.unref();
    this.#session = session;
    return session;
  }
}

function authorityOf(target: GrpcTarget): string {
  if ('path' in target) return 'http://localhost';
  return `${target.tls ? 'https' : 'http'}://${urlHost(target.host)}:${target.port}`;
}

function connectTo(target: GrpcTarget) {
  if ('path' in target) return connectSocket({ path: target.path });
  const { host, port, tls } = target;
  return tls === undefined
    ? connectSocket({ host, port })
    : connectTls({ host, port, ...tls, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2', rejectUnauthorized: true });
}

function listen(stream: ClientHttp2Stream, inbox: Inbox, toError: (status: GrpcStatus, cause: unknown) => Error): void {
  const frames = new FrameReader(Infinity);
  let status: GrpcStatus | undefined;
  const takeStatus = (headers: IncomingHttpHeaders): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) status = { code: Number(code), message: decoded(String(headers['grpc-message'] ?? '')) };
  };
  stream.on('response', takeStatus); // an answer without a body has its status here
  stream.on('trailers', takeStatus);
  stream.on('data', (chunk: Buffer) => frames.push(chunk, (bytes) => inbox.push(Buffer.from(bytes))));
  let cause: unknown;
  stream.on('error', (error) => (cause = error));
  stream.on('close', () => {
    const end = status ?? { code: grpcCodes.unavailable, message: 'the connection was lost' };
    inbox.end(end.code === grpcCodes.ok ? undefined : toError(end, cause));
  });
}

/** Percent signs that encode nothing are the server's own. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

/** What has come and was not taken yet. */
class Inbox implements AsyncIterable<ProtoReader> {
  readonly #queue: Buffer[] = [];
  #wake = (): void => {};
  #outcome: { readonly error: Error | undefined } | undefined;

  push(message: Buffer): void {
    this.#queue.push(message);
    this.#wake();
  }

  end(error: Error | undefined): void {
    this.#outcome = { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProtoReader> {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) yield new ProtoReader(message);
      else if (this.#outcome?.error !== undefined) throw this.#outcome.error;
      else if (this.#outcome !== undefined) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
