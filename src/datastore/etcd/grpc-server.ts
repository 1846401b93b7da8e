/**
 * @module
 * gRPC over HTTP/2: on a unix socket, on a loopback address, or with TLS.
 * Knows: gRPC's headers, trailers and frames. Leaves to others: HTTP/2 itself (http2/), what is inside a message (the services).
 * Spec: grpc/grpc doc/PROTOCOL-HTTP2.md.
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Connection, encodeHeaders } from '../http2/http2.ts';
import type { Request, RequestHandler, ResponseStream } from '../http2/http2.ts';
import type { ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { maxMessageBytes } from './limits.ts';
import { bindSocket, checkTls } from './listen.ts';
import type { ListenAddress, ListenTls } from './listen.ts';
import { toStatus } from './status.ts';
import { grpcCodes, GrpcError, FrameReader, toFrame } from '../../shared/grpc/grpc.ts';
import type { GrpcStatus, GrpcCall, GrpcHandler, GrpcMethods } from '../../shared/grpc/grpc.ts';

export interface GrpcServer {
  /** Accepts nothing new; calls in flight continue. */
  refuseNew(): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** @throws {InvalidListenAddressError} @throws {ListenAddressInUseError} */
export async function openGrpcServer(
  methods: GrpcMethods,
  address: ListenAddress,
  { tls, group }: { readonly tls?: ListenTls | undefined; readonly group?: number | undefined } = {},
): Promise<GrpcServer> {
  checkTls(address, tls);
  const sockets = new Map<Socket, Connection>();
  const server = serverFor(address, tls, (socket) => {
    const connection = new Connection(socket, (request, response) => serve(methods, request, response));
    sockets.set(socket, connection);
    socket.on('close', () => sockets.delete(socket));
  });
  await bindSocket(server, address, group);
  const closed = new Promise((resolve) => server.once('close', resolve));
  return {
    refuseNew: () => void server.close(),
    close: async () => {
      if (server.listening) server.close();
      for (const connection of sockets.values()) connection.close();
      await closed;
    },
  };
}

const handshakeTimeoutMs = 10_000;
const keepAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };

function serverFor(address: ListenAddress, tls: ListenTls | undefined, onSocket: (socket: Socket) => void): Server {
  if (address.kind === 'unix' || !address.isTls) return createServer(keepAlive, onSocket);
  const needsCertificate = tls?.trustedCa !== undefined;
  return createTlsServer(
    {
      ...keepAlive,
      cert: tls?.cert,
      key: tls?.key,
      ca: tls?.trustedCa,
      requestCert: needsCertificate,
      rejectUnauthorized: needsCertificate,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
    },
    onSocket,
  );
}

function serve(methods: GrpcMethods, request: Request, response: ResponseStream): RequestHandler {
  const refusal = refusalOf(request);
  if (refusal !== undefined) {
    response.trailers(refusal);
    return deaf;
  }
  const call = new Http2Call(response);
  const encoding = fieldOf(request, 'grpc-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    call.error(noDecompressor(encoding));
    return deaf;
  }
  const method = methods.get(request.path);
  if (method === undefined) {
    call.error(unknownMethod(methods, request.path));
    return deaf;
  }
  return new CallReader(call, method(call));
}

/** What is no gRPC call is answered in plain HTTP. */
function refusalOf(request: Request): Buffer | undefined {
  if (request.method !== 'POST') return encodeHeaders([[':status', '405']]);
  const contentType = fieldOf(request, 'content-type') ?? '';
  return /^application\/grpc(?:[+;]|$)/.test(contentType) ? undefined : encodeHeaders([[':status', '415']]);
}

const fieldOf = ({ fields }: Request, wanted: string): string | undefined =>
  fields.find(({ name }) => name === wanted)?.value;

const noDecompressor = (encoding: string): GrpcStatus =>
  new GrpcError('unimplemented', `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`).status;

const deaf: RequestHandler = { data: () => {}, end: () => {}, drained: () => {}, closed: () => {} };

/** In the words of grpc-go. */
function unknownMethod(methods: GrpcMethods, path: string): GrpcStatus {
  const [, service = '', method = ''] = path.split('/');
  const isKnown = [...methods.keys()].some((known) => known.startsWith(`/${service}/`));
  const message = isKnown ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
  return new GrpcError('unimplemented', message).status;
}

/** Brings a request's messages to its method. */
class CallReader implements RequestHandler {
  readonly #call: GrpcCall;
  readonly #handler: GrpcHandler;
  readonly #frames = new FrameReader(maxMessageBytes);
  readonly #onMessage = (bytes: Buffer): void => this.#handler.message(bytes);

  constructor(call: GrpcCall, handler: GrpcHandler) {
    this.#call = call;
    this.#handler = handler;
  }

  data(bytes: Buffer): void {
    try {
      this.#frames.push(bytes, this.#onMessage);
    } catch (error) {
      this.#call.error(toStatus(error));
    }
  }

  end(): void {
    this.#handler.end(this.#frames.isCut);
  }

  drained(): void {
    this.#handler.drained();
  }

  closed(): void {
    this.#handler.closed();
  }
}

const responseFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const responseBlock = encodeHeaders(responseFields);
const okFields = [['grpc-status', String(grpcCodes.ok)]] as const;
const okBlock = encodeHeaders(okFields);
/** The end of an answer without a message. */
const okAloneBlock = encodeHeaders([...responseFields, ...okFields]);

class Http2Call implements GrpcCall {
  readonly #response: ResponseStream;
  #hasHeaders = false;
  #isOver = false;

  constructor(response: ResponseStream) {
    this.#response = response;
  }

  reply(message: ProtoWriter): void {
    this.send(message);
    this.finish();
  }

  send(message: ProtoWriter): boolean {
    if (this.#isOver) return true;
    if (!this.#hasHeaders) this.#response.headers(responseBlock);
    this.#hasHeaders = true;
    return this.#response.data(toFrame(message), message.release);
  }

  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#response.trailers(this.#hasHeaders ? okBlock : okAloneBlock);
  }

  error({ code, message }: GrpcStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const trailers = [['grpc-status', String(code)] as const, ['grpc-message', encodeURI(message)] as const];
    this.#response.trailers(encodeHeaders(this.#hasHeaders ? trailers : [...responseFields, ...trailers]));
  }
}
