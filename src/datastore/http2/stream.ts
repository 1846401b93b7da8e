/**
 * One request and its answer on a connection: what may be sent at once goes out, the rest waits for the peer's windows.
 * Spec: RFC 9113, sections 5.1 (states) and 5.2 (flow control).
 */
import { errorCodes, flags, frameTypes, maxWindowBytes, StreamError } from './frames.ts';
import type { ErrorCode } from './frames.ts';
import type { Outbox } from './outbox.ts';

/** What makes use of a request. */
export interface RequestHandler {
  /** A part of the body; a view that is valid during the call. */
  data(bytes: Buffer): void;
  /** The peer has sent everything. */
  end(): void;
  /** After `data` of the answer gave false: there is room again. */
  drained(): void;
  /** The stream is over, answered or not. Called once. */
  closed(): void;
}

/** How a request is answered: headers, any number of data, trailers; or headers alone. Nothing is sent after the end. */
export interface ResponseStream {
  /** `block` comes from `encodeHeaders`. */
  headers(block: Buffer): void;
  /**
   * The bytes must not change before `onSent`, which is not called when the stream ends early.
   * @returns false when too much is waiting: send no more until `drained`
   */
  data(bytes: Buffer, onSent?: () => void): boolean;
  /** The end, after all data. */
  trailers(block: Buffer): void;
}

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly outbox: Outbox;
  /** How much the peer takes on all streams together. */
  sendWindow: number;
  readonly peerMaxFrameBytes: number;
  /** The socket takes no more for now. */
  readonly isCongested: boolean;
  /** The stream has data that waits. */
  queued(stream: Stream, bytes: number): void;
  over(stream: Stream): void;
}

interface Waiting {
  bytes: Buffer;
  readonly onSent: (() => void) | undefined;
}

/** What a stream may have waiting before it says that it is full. */
const maxQueuedBytes = 1 << 20;

export class Stream implements ResponseStream {
  readonly id: number;
  handler: RequestHandler | undefined;
  /** How much the peer takes on this stream; below zero after it made its windows smaller. */
  sendWindow: number;
  /** How much the peer may still send. */
  receiveWindow: number;
  /** Of the body, where the request says it. */
  missingBytes: number | undefined;
  isRemoteClosed = false;
  #isLocalClosed = false;
  #isOver = false;
  readonly #host: StreamHost;
  readonly #queue: Waiting[] = [];
  #queuedBytes = 0;
  #trailerBlock: Buffer | undefined;
  #wantsDrain = false;

  constructor(host: StreamHost, id: number, sendWindow: number, receiveWindow: number) {
    this.#host = host;
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  headers(block: Buffer): void {
    if (this.#isLocalClosed) return;
    this.#host.outbox.frame(frameTypes.headers, flags.endHeaders, this.id, block);
  }

  data(bytes: Buffer, onSent?: () => void): boolean {
    if (this.#isLocalClosed) return true;
    const sent = this.#queue.length === 0 ? this.#emit(bytes, onSent) : 0;
    if (sent < bytes.length) {
      const rest = bytes.subarray(sent);
      this.#queue.push({ bytes: rest, onSent });
      this.#queuedBytes += rest.length;
      this.#host.queued(this, rest.length);
    }
    this.#wantsDrain = this.#queuedBytes >= maxQueuedBytes || this.#host.isCongested;
    return !this.#wantsDrain;
  }

  trailers(block: Buffer): void {
    if (this.#isLocalClosed) return;
    this.#isLocalClosed = true;
    this.#trailerBlock = block;
    if (this.#queue.length === 0) this.#finish();
  }

  /** Sends one more frame of what waits, if the windows allow it. @returns whether something was sent */
  pump(): boolean {
    const first = this.#queue[0];
    if (first === undefined) return false;
    const sent = this.#emitFrame(first.bytes, 0, first.onSent);
    if (sent === 0) return false;
    this.#queuedBytes -= sent;
    this.#host.queued(this, -sent);
    if (sent === first.bytes.length) this.#queue.shift();
    else first.bytes = first.bytes.subarray(sent);
    if (this.#queue.length === 0 && this.#isLocalClosed) this.#finish();
    else this.tellDrained();
    return true;
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  tellDrained(): void {
    if (!this.#wantsDrain || this.#queuedBytes >= maxQueuedBytes / 2 || this.#host.isCongested) return;
    this.#wantsDrain = false;
    this.handler?.drained();
  }

  /** @throws {StreamError} when the window grows too large */
  widen(bytes: number): void {
    this.sendWindow += bytes;
    if (this.sendWindow > maxWindowBytes) {
      throw new StreamError(this.id, errorCodes.flowControlError, 'a window beyond 2^31 - 1');
    }
  }

  /** The peer has sent everything. @throws {StreamError} when that is not what it announced */
  remoteEnd(): void {
    if (this.missingBytes !== undefined && this.missingBytes !== 0) {
      throw new StreamError(this.id, errorCodes.protocolError, 'the body has another length than content-length');
    }
    this.isRemoteClosed = true;
    this.handler?.end();
    if (this.#isLocalClosed && this.#queue.length === 0) this.close();
  }

  reset(code: ErrorCode): void {
    if (this.#isOver) return;
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    this.#host.outbox.frame(frameTypes.rstStream, 0, this.id, payload);
    this.close();
  }

  /** Nothing more is sent or heard. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isLocalClosed = true;
    if (this.#queuedBytes > 0) this.#host.queued(this, -this.#queuedBytes);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#host.over(this);
    this.handler?.closed();
  }

  #finish(): void {
    const block = this.#trailerBlock ?? Buffer.alloc(0);
    this.#host.outbox.frame(frameTypes.headers, flags.endHeaders | flags.endStream, this.id, block);
    // The answer is whole: what the peer still wants to send is of no use (section 8.1).
    if (this.isRemoteClosed) this.close();
    else this.reset(errorCodes.noError);
  }

  /** @returns how many bytes the windows let through */
  #emit(bytes: Buffer, onSent: (() => void) | undefined): number {
    let sent = 0;
    while (sent < bytes.length) {
      const more = this.#emitFrame(bytes, sent, onSent);
      if (more === 0) break;
      sent += more;
    }
    return sent;
  }

  #emitFrame(bytes: Buffer, from: number, onSent: (() => void) | undefined): number {
    const host = this.#host;
    const size = Math.min(bytes.length - from, host.peerMaxFrameBytes, this.sendWindow, host.sendWindow);
    if (size <= 0) return 0;
    this.sendWindow -= size;
    host.sendWindow -= size;
    const part = size === bytes.length ? bytes : bytes.subarray(from, from + size);
    // A socket sends in order: when the last part is gone, all are.
    host.outbox.frame(frameTypes.data, 0, this.id, part, from + size === bytes.length ? onSent : undefined);
    return size;
  }
}
