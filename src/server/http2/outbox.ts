/**
 * What a connection has to say, gathered and handed to the socket once in a turn of the event loop: a hundred answers that
 * became ready together leave in one write.
 */
import type { Duplex } from 'node:stream';
import { frameHeaderBytes, writeFrameHeader } from './frames.ts';

/** Memory that is written from front to back once, and then left to the collector. */
interface Chunk {
  readonly buffer: Buffer;
  usedBytes: number;
}

const chunkBytes = 64 << 10;
/** Up to here a copy is cheaper than one more piece for the socket. */
const copiedBytes = 4 << 10;
/** Chunks with room left: an outbox has one from its first frame in a turn until it is flushed. */
const shelf: Chunk[] = [];

export class Outbox {
  private readonly socket: Duplex;
  private readonly pieces: Buffer[] = [];
  private piecesBytes = 0;
  private chunk: Chunk | undefined;
  /** Where in the chunk what is not a piece yet begins. */
  private from = 0;
  private isScheduled = false;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  /** Bytes that the socket has not taken yet. */
  get waitingBytes(): number {
    return this.socket.writableLength + this.piecesBytes;
  }

  /** A frame whose payload is one buffer. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    const chunk = this.roomFor(frameHeaderBytes);
    writeFrameHeader(chunk.buffer, chunk.usedBytes, { type, flags, streamId }, payload.length);
    chunk.usedBytes += frameHeaderBytes;
    if (payload.length > copiedBytes) {
      this.cut();
      this.add(payload);
    } else this.copy(payload);
  }

  flush(): void {
    this.isScheduled = false;
    this.cut();
    this.shelve();
    const pieces = this.pieces.splice(0);
    this.piecesBytes = 0;
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (pieces.length > 1) this.socket.cork();
    for (const piece of pieces) this.socket.write(piece);
    if (pieces.length > 1) this.socket.uncork();
  }

  private copy(bytes: Buffer): void {
    const chunk = this.roomFor(bytes.length);
    chunk.buffer.set(bytes, chunk.usedBytes);
    chunk.usedBytes += bytes.length;
  }

  private roomFor(sizeBytes: number): Chunk {
    if (!this.isScheduled) {
      this.isScheduled = true;
      setImmediate(() => this.flush());
    }
    let { chunk } = this;
    if (chunk !== undefined && chunk.usedBytes + sizeBytes <= chunkBytes) return chunk;
    this.cut();
    this.shelve();
    chunk = shelf.pop();
    if (chunk === undefined || chunk.usedBytes + sizeBytes > chunkBytes) {
      chunk = { buffer: Buffer.allocUnsafeSlow(chunkBytes), usedBytes: 0 };
    }
    this.chunk = chunk;
    this.from = chunk.usedBytes;
    return chunk;
  }

  /** What was written to the chunk since the last cut becomes a piece. */
  private cut(): void {
    const { chunk } = this;
    if (chunk === undefined || chunk.usedBytes === this.from) return;
    this.add(chunk.buffer.subarray(this.from, chunk.usedBytes));
    this.from = chunk.usedBytes;
  }

  private add(piece: Buffer): void {
    this.pieces.push(piece);
    this.piecesBytes += piece.length;
  }

  /** The rest of the chunk serves another connection: an idle one holds none. */
  private shelve(): void {
    if (this.chunk !== undefined && this.chunk.usedBytes + copiedBytes <= chunkBytes) shelf.push(this.chunk);
    this.chunk = undefined;
  }
}
