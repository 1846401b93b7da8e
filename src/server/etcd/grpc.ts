/**
 * @module
 * gRPC calls as the services see them, whatever carries them.
 * Knows: message frames, what a service sees of a call. Leaves to others: kinds of calls (methods.ts), HTTP/2 (grpc-door.ts), messages (proto/).
 * Spec: grpc/grpc doc/PROTOCOL-HTTP2.md.
 */
import { ProtoWriter } from '../store/store.ts';
import { GrpcError } from './status.ts';
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

export const frameHeaderBytes = 5;
/** etcd's default `--max-request-bytes`. */
export const maxRequestBytes = 1.5 * 1024 * 1024;
/** What etcd lets gRPC receive beyond that. */
const maxMessageBytes = maxRequestBytes + 512 * 1024;

export function newMessage(sizeHint?: number): ProtoWriter {
  return new ProtoWriter(sizeHint, frameHeaderBytes);
}

/** The message with its frame's header filled in. */
export function toFrame(message: ProtoWriter): Buffer {
  const frame = message.finish();
  frame[0] = 0; // not compressed
  frame.writeUInt32BE(message.length, 1);
  return frame;
}

/** Cuts the body of a call into messages. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);
  private readonly parts: Buffer[] = [];
  private missing = 0;
  private readonly limitBytes: number;

  constructor(limitBytes = maxMessageBytes) {
    this.limitBytes = limitBytes;
  }

  /** Calls `onMessage` for each message that is now complete. @throws {GrpcError} */
  push(chunk: Buffer, onMessage: (bytes: Buffer) => void): void {
    if (this.missing > chunk.length) {
      this.parts.push(chunk);
      this.missing -= chunk.length;
      return;
    }
    let data = this.parts.length === 0 ? this.rest : Buffer.concat(this.parts);
    data = data.length === 0 ? chunk : Buffer.concat([data, chunk]);
    this.parts.length = 0;
    this.missing = 0;
    let position = 0;
    while (data.length - position >= frameHeaderBytes) {
      const end = position + frameHeaderBytes + this.lengthAt(data, position);
      if (end > data.length) {
        this.missing = end - data.length;
        break;
      }
      onMessage(data.subarray(position + frameHeaderBytes, end));
      position = end;
    }
    this.rest = data.subarray(position);
    if (this.missing > 0) this.parts.push(this.rest);
  }

  /** The rest of a message is missing. As in grpc-go, one whose header is not whole has not begun. */
  get isCut(): boolean {
    return this.rest.length >= frameHeaderBytes;
  }

  private lengthAt(data: Buffer, position: number): number {
    if (data[position] !== 0) {
      throw new GrpcError('internal', 'grpc: compressed flag set with identity or empty encoding');
    }
    const length = data.readUInt32BE(position + 1);
    if (length > this.limitBytes) {
      throw new GrpcError(
        'resourceExhausted',
        `grpc: received message larger than max (${length} vs. ${this.limitBytes})`,
      );
    }
    return length;
  }
}
