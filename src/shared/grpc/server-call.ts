/** gRPC calls as a server's services see them, whatever carries them. */
import type { ProtoWriter } from '../protobuf/protobuf.ts';
import type { GrpcStatus } from './status.ts';

/** One call, as a front end offers it. After `finish` or `error` nothing more may be sent. */
export interface GrpcCall {
  /** The answer to a unary call: one message, and the end. */
  reply(message: ProtoWriter): void;
  /** @returns false when the peer reads too slowly: send no more until `drained` */
  send(message: ProtoWriter): boolean;
  finish(): void;
  error(status: GrpcStatus): void;
}

/** What a service does with a call. */
export interface GrpcHandler {
  /** A view that is only valid during the call of this function. */
  message(bytes: Buffer): void;
  /** The peer has sent everything; `isCut`: but for the end of a message. */
  end(isCut: boolean): void;
  drained(): void;
  /** The call is over, answered or not. Called once. */
  closed(): void;
}

export type GrpcMethod = (call: GrpcCall) => GrpcHandler;
/** By path: `/etcdserverpb.KV/Range`. */
export type GrpcMethods = ReadonlyMap<string, GrpcMethod>;
