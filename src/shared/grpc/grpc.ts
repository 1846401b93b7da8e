/**
 * @module
 * gRPC as both sides of it see it: a client for a few calls, and what a server's services are made of.
 * Knows: message frames, status codes, the shape of a call. Leaves to others: which methods there are and what their messages mean.
 * Spec: grpc/grpc doc/PROTOCOL-HTTP2.md.
 */
export { GrpcChannel } from './channel.ts';
export type { ClientStream, GrpcChannelOptions, GrpcTarget, Write } from './channel.ts';
export { FrameReader, frameHeaderBytes, newMessage, toFrame } from './frames.ts';
export { GrpcError, grpcCodes } from './status.ts';
export type { GrpcStatus } from './status.ts';
export type { GrpcCall, GrpcHandler, GrpcMethod, GrpcMethods } from './server-call.ts';
