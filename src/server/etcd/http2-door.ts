/**
 * @module
 * gRPC over Node's HTTP/2, without TLS: on a unix socket or on a loopback address.
 * Knows: HTTP/2 streams, headers and trailers. Leaves to others: what is inside a message (grpc.ts and the services).
 */
import { createServer } from 'node:http2';
import type {
  Http2Server,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { ProtoWriter } from '../store/store.ts';
import { FrameReader, toFrame } from './grpc.ts';
import type { GrpcCall, GrpcMethods } from './grpc.ts';
import { bindSocket } from './listen.ts';
import type { ListenAddress } from './listen.ts';
import { GrpcError, grpcCodes, toStatus } from './status.ts';
import type { GrpcStatus } from './status.ts';

export interface Door {
  /** Accepts nothing new; calls that are under way go on. */
  refuseNew(): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** What a stream may have queued for a slow reader before it takes no more. */
const maxQueuedBytes = 1 << 20;

export async function openHttp2Door(methods: GrpcMethods, address: ListenAddress): Promise<Door> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({
    settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 0xffffffff },
    peerMaxConcurrentStreams: 0xffffffff,
    maxSessionMemory: 256, // megabytes
    streamResetBurst: 100_000, // clients end their watches by resets
    streamResetRate: 10_000,
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => serve(methods, stream, headers));
  await bindSocket(server, address);
  return {
    refuseNew: () => void server.close(),
    close: () => closeServer(server, sessions),
  };
}

async function closeServer(server: Http2Server, sessions: ReadonlySet<ServerHttp2Session>): Promise<void> {
  const closed = new Promise((resolve) => server.once('close', resolve));
  if (server.listening) server.close();
  const hadSessions = sessions.size > 0;
  for (const session of sessions) session.destroy();
  if (hadSessions || server.listening) await closed;
}

function serve(methods: GrpcMethods, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const call = new Http2Call(stream);
  stream.on('error', () => {}); // a reset by the peer; 'close' follows
  const method = methods.get(headers[':path'] ?? '');
  if (method === undefined) {
    call.error(unknownMethod(methods, headers[':path'] ?? ''));
    stream.resume();
    return;
  }
  const handler = method(call);
  const frames = new FrameReader();
  stream.on('data', (chunk: Buffer) => {
    try {
      frames.push(chunk, (bytes) => handler.message(bytes));
    } catch (error) {
      call.error(toStatus(error));
    }
  });
  stream.on('end', () => handler.end());
  stream.on('drain', () => handler.drained());
  stream.on('close', () => handler.closed());
}

/** In the words of grpc-go. */
function unknownMethod(methods: GrpcMethods, path: string): GrpcStatus {
  const [, service = '', method = ''] = path.split('/');
  const isKnown = [...methods.keys()].some((known) => known.startsWith(`/${service}/`));
  const message = isKnown ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
  return new GrpcError('unimplemented', message).status;
}

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc' } as const;
const okStatus: GrpcStatus = { code: grpcCodes.ok, message: '' };

class Http2Call implements GrpcCall {
  private readonly stream: ServerHttp2Stream;
  private hasHeaders = false;
  private isOver = false;
  private status = okStatus;

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
  }

  reply(message: ProtoWriter): void {
    if (this.isGone()) return;
    this.isOver = true;
    this.sendHeaders();
    this.stream.end(toFrame(message));
  }

  send(message: ProtoWriter): boolean {
    if (this.isGone()) return true;
    this.sendHeaders();
    const hasRoom = this.stream.write(toFrame(message));
    // Without a full buffer there will be no 'drain' to wait for.
    return hasRoom || this.stream.writableLength < maxQueuedBytes;
  }

  finish(): void {
    this.end(okStatus);
  }

  error(status: GrpcStatus): void {
    this.end(status);
  }

  private end(status: GrpcStatus): void {
    if (this.isGone()) return;
    this.isOver = true;
    this.status = status;
    if (this.hasHeaders) this.stream.end();
    else this.stream.respond({ ...responseHeaders, ...trailersOf(status) }, { endStream: true });
  }

  private sendHeaders(): void {
    if (this.hasHeaders) return;
    this.hasHeaders = true;
    this.stream.respond(responseHeaders, { waitForTrailers: true });
    this.stream.on('wantTrailers', () => {
      if (!this.stream.destroyed) this.stream.sendTrailers(trailersOf(this.status));
    });
  }

  private isGone(): boolean {
    return this.isOver || this.stream.destroyed || this.stream.closed;
  }
}

function trailersOf({ code, message }: GrpcStatus): OutgoingHttpHeaders {
  return message === '' ? { 'grpc-status': code } : { 'grpc-status': code, 'grpc-message': encodeURI(message) };
}
