/**
 * @module
 * HTTP/2 for servers, on any socket: small, and quick for many short calls on few connections.
 * Knows: frames, header compression, streams, flow control. Leaves to others: what a request means, listening, TLS.
 * Spec: RFC 9113 (HTTP/2), RFC 7541 (HPACK). Not built, because gRPC has no use for it: push, priorities.
 */
export { Connection } from './connection.ts';
export type { OnRequest } from './connection.ts';
export { encodeHeaders } from './hpack.ts';
export type { HeaderField } from './header-field.ts';
export type { Request } from './request.ts';
export type { RequestHandler, ResponseStream } from './stream.ts';
