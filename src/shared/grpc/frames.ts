/** Messages on the wire: five bytes of header, then the message. Spec: grpc/grpc doc/PROTOCOL-HTTP2.md. */
import { ProtoWriter } from '../protobuf/protobuf.ts';
import { GrpcError } from './status.ts';

export const frameHeaderBytes = 5;

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
  #rest: Buffer = Buffer.alloc(0);
  readonly #parts: Buffer[] = [];
  #missing = 0;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Calls `onMessage` for each message that is now complete. @throws {GrpcError} */
  push(chunk: Buffer, onMessage: (bytes: Buffer) => void): void {
    if (this.#missing > chunk.length) {
      this.#parts.push(chunk);
      this.#missing -= chunk.length;
      return;
    }
    let data = this.#parts.length === 0 ? this.#rest : Buffer.concat(this.#parts);
    data = data.length === 0 ? chunk : Buffer.concat([data, chunk]);
    this.#parts.length = 0;
    this.#missing = 0;
    let position = 0;
    while (data.length - position >= frameHeaderBytes) {
      const end = position + frameHeaderBytes + this.#lengthAt(data, position);
      if (end > data.length) {
        this.#missing = end - data.length;
        break;
      }
      onMessage(data.subarray(position + frameHeaderBytes, end));
      position = end;
    }
    this.#rest = data.subarray(position);
    if (this.#missing > 0) this.#parts.push(this.#rest);
  }

  /** The rest of a message is missing. As in grpc-go, one whose header is not whole has not begun. */
  get isCut(): boolean {
    return this.#rest.length >= frameHeaderBytes;
  }

  #lengthAt(data: Buffer, position: number): number {
    if (data[position] !== 0) {
      throw new GrpcError('internal', 'grpc: compressed flag set with identity or empty encoding');
    }
    const length = data.readUInt32BE(position + 1);
    if (length > this.#limitBytes) {
      throw new GrpcError(
        'resourceExhausted',
        `grpc: received message larger than max (${length} vs. ${this.#limitBytes})`,
      );
    }
    return length;
  }
}
