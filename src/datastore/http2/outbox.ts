/**
 * What a connection has to say, gathered and written to the socket when the callback that is running is through: a hundred answers
 * that became ready together leave in one write.
 */
import type { Duplex } from 'node:stream';
import { frameHeaderBytes, writeFrameHeader } from './frames.ts';

/** Memory that is written from front to back once, and then left to the collector. */
interface Chunk {
  readonly buffer: Buffer;
  usedBytes: number;
}

interface Piece {
  readonly bytes: Buffer;
  readonly onSent: (() => void) | undefined;
}

const chunkBytes = 64 << 10;
/** Up to here a copy is cheaper than one more piece for the socket. */
const copiedBytes = 4 << 10;
/** How long an answer to a PING may wait for company. */
const lateMs = 1;
/** Chunks with room left: an outbox has one from its first frame in a turn until it is flushed. */
const shelf: Chunk[] = [];

export class Outbox {
  readonly #socket: Duplex;
  readonly #pieces: Piece[] = [];
  #piecesBytes = 0;
  #chunk: Chunk | undefined;
  /** Where in the chunk what is not a piece yet begins. */
  #from = 0;
  #isScheduled = false;
  #isLate = false;
  readonly #flushNow = (): void => this.flush();
  readonly #flushLate = (): void => {
    this.#isLate = false;
    this.flush();
  };

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Bytes that the socket has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#piecesBytes;
  }

  /** A frame whose payload is one buffer; `onSent`: the socket has no more use for it. */
  frame(type: number, flags: number, streamId: number, payload: Buffer, onSent?: () => void): void {
    this.#add(type, flags, streamId, payload, onSent);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#flushNow);
  }

  /** A frame that nobody waits for: it goes with the next one, or alone after a short while. */
  lateFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#add(type, flags, streamId, payload);
    if (this.#isScheduled || this.#isLate) return;
    this.#isLate = true;
    setTimeout(this.#flushLate, lateMs);
  }

  #add(type: number, flags: number, streamId: number, payload: Buffer, onSent?: () => void): void {
    const chunk = this.#roomFor(frameHeaderBytes);
    writeFrameHeader(chunk.buffer, chunk.usedBytes, { type, flags, streamId }, payload.length);
    chunk.usedBytes += frameHeaderBytes;
    if (payload.length <= copiedBytes && onSent === undefined) {
      this.#copy(payload);
    } else {
      this.#cut();
      this.#addPiece(payload, onSent);
    }
  }

  flush(): void {
    this.#isScheduled = false;
    this.#cut();
    this.#shelve();
    const pieces = this.#pieces.splice(0);
    this.#piecesBytes = 0;
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (pieces.length > 1) this.#socket.cork();
    for (const { bytes, onSent } of pieces) this.#socket.write(bytes, onSent);
    if (pieces.length > 1) this.#socket.uncork();
  }

  #copy(bytes: Buffer): void {
    const chunk = this.#roomFor(bytes.length);
    chunk.buffer.set(bytes, chunk.usedBytes);
    chunk.usedBytes += bytes.length;
  }

  #roomFor(sizeBytes: number): Chunk {
    let chunk = this.#chunk;
    if (chunk !== undefined && chunk.usedBytes + sizeBytes <= chunkBytes) return chunk;
    this.#cut();
    this.#shelve();
    chunk = shelf.pop();
    if (chunk === undefined || chunk.usedBytes + sizeBytes > chunkBytes) {
      chunk = { buffer: Buffer.allocUnsafeSlow(chunkBytes), usedBytes: 0 };
    }
    this.#chunk = chunk;
    this.#from = chunk.usedBytes;
    return chunk;
  }

  /** What was written to the chunk since the last cut becomes a piece. */
  #cut(): void {
    const chunk = this.#chunk;
    if (chunk === undefined || chunk.usedBytes === this.#from) return;
    this.#addPiece(chunk.buffer.subarray(this.#from, chunk.usedBytes));
    this.#from = chunk.usedBytes;
  }

  #addPiece(bytes: Buffer, onSent?: () => void): void {
    this.#pieces.push({ bytes, onSent });
    this.#piecesBytes += bytes.length;
  }

  /** The rest of the chunk serves another connection: an idle one holds none. */
  #shelve(): void {
    if (this.#chunk !== undefined && this.#chunk.usedBytes + copiedBytes <= chunkBytes) shelf.push(this.#chunk);
    this.#chunk = undefined;
  }
}
