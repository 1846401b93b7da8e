/** What comes from a client: the preface, then frames, as many in a turn as others can bear. */
import type { Duplex } from 'node:stream';
import { ConnectionError, errorCodes, FrameReader } from './frames.ts';
import type { Frame } from './frames.ts';
import type { Outbox } from './outbox.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** How long a client may take to say that it speaks HTTP/2. */
const prefaceTimeoutMs = 10_000;
/** Requests that are begun in one turn, so that others get theirs and answers are counted before more is asked. */
const maxStartsPerTurn = 64;
/** What the socket may have waiting before nothing more is read. */
const overfullBytes = 8 << 20;

export interface IncomingOptions {
  readonly socket: Duplex;
  readonly outbox: Outbox;
  readonly onFrame: (frame: Frame) => void;
  /** What ends the connection. */
  readonly onError: (error: unknown) => void;
}

export class IncomingFrames {
  readonly #options: IncomingOptions;
  readonly #reader = new FrameReader();
  readonly #prefaceTimer: NodeJS.Timeout;
  #hasPreface = false;
  #isEnded = false;
  #isHeld = false;
  #starts = 0;

  constructor(options: IncomingOptions) {
    this.#options = options;
    const { socket } = options;
    this.#prefaceTimer = setTimeout(() => socket.destroy(), prefaceTimeoutMs).unref();
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      if (!this.#isHeld) this.#read();
    });
  }

  /** One more request is begun in this turn. */
  started(): void {
    this.#starts += 1;
  }

  /** The socket has taken what waited. */
  drained(): void {
    this.#continue();
  }

  /** Nothing more is read. */
  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#prefaceTimer);
  }

  #read(): void {
    const { outbox, onFrame, onError } = this.#options;
    try {
      if (!this.#hasPreface && !this.#takePreface()) return;
      while (!this.#isEnded && !this.#isHeld) {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        onFrame(frame);
        if (this.#starts >= maxStartsPerTurn || outbox.waitingBytes > overfullBytes) this.#hold();
      }
    } catch (error) {
      onError(error);
    }
  }

  /** Reads no more until the next turn and until the socket has taken what waits. */
  #hold(): void {
    this.#isHeld = true;
    this.#options.socket.pause();
    setImmediate(() => this.#continue());
  }

  #continue(): void {
    if (!this.#isHeld || this.#options.outbox.waitingBytes > overfullBytes) return; // then `drained` calls again
    this.#isHeld = false;
    this.#starts = 0;
    this.#options.socket.resume();
    this.#read();
  }

  #takePreface(): boolean {
    const bytes = this.#reader.take(preface.length);
    if (bytes === undefined) return false;
    if (!bytes.equals(preface)) throw new ConnectionError(errorCodes.protocolError, 'not HTTP/2');
    clearTimeout(this.#prefaceTimer);
    this.#hasPreface = true;
    return true;
  }
}
