/**
 * @module
 * gRPC calls as the services see them, whatever carries them.
 * Knows: message frames, unary and streaming calls. Leaves to others: HTTP/2 (http2-door.ts), messages (proto/).
 * Spec: grpc/grpc doc/PROTOCOL-HTTP2.md.
 */
import { ProtoReader, ProtoWriter } from '../store/store.ts';
import { GrpcError, toStatus } from './status.ts';
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
  /** The peer has sent everything. */
  end(): void;
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

/** A method with one request and one answer. */
export function unary(answer: (request: ProtoReader, sizeBytes: number) => Promise<ProtoWriter>): GrpcMethod {
  return (call) => {
    let isOpen = true;
    const run = async (bytes: Buffer): Promise<void> => {
      try {
        const reply = await answer(new ProtoReader(bytes), bytes.length);
        if (isOpen) call.reply(reply);
      } catch (error) {
        if (isOpen) call.error(toStatus(error));
      }
    };
    return {
      message: (bytes) => void run(bytes),
      end: () => {},
      drained: () => {},
      closed: () => {
        isOpen = false;
      },
    };
  };
}

/** A method with one request and many answers, each when the peer has room for it; `signal`: the peer has gone. */
export function streaming(
  answers: (request: ProtoReader, signal: AbortSignal) => AsyncIterable<ProtoWriter>,
): GrpcMethod {
  return (call) => {
    const gone = new AbortController();
    let isOpen = true;
    let onDrained = (): void => {};
    const drained = (): Promise<void> => new Promise((resolve) => (onDrained = resolve));
    const run = async (request: ProtoReader): Promise<void> => {
      try {
        for await (const message of answers(request, gone.signal)) {
          if (!isOpen) return;
          if (!call.send(message)) await drained();
        }
        if (isOpen) call.finish();
      } catch (error) {
        if (isOpen) call.error(toStatus(error));
      }
    };
    return {
      // The request is used over several turns, the buffer is ours for this one alone.
      message: (bytes) => void run(new ProtoReader(Buffer.from(bytes))),
      end: () => {},
      drained: () => onDrained(),
      closed: () => {
        isOpen = false;
        gone.abort();
        onDrained();
      },
    };
  };
}

/** A method with one request and one answer that may be long in coming. */
export function waiting(answer: (request: ProtoReader, signal: AbortSignal) => Promise<ProtoWriter>): GrpcMethod {
  return streaming(async function* (request, signal) {
    yield await answer(request, signal);
  });
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

  private lengthAt(data: Buffer, position: number): number {
    if (data[position] !== 0) {
      throw new GrpcError('unimplemented', 'grpc: Decompressor is not installed for grpc-encoding');
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
