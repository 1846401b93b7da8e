/**
 * @module
 * Frames: what an HTTP/2 connection is made of. Cutting bytes into frames, and the numbers they are written with.
 * Spec: RFC 9113, sections 4 (frames), 6 (their kinds) and 7 (error codes).
 */

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;
export type ErrorCode = (typeof errorCodes)[keyof typeof errorCodes];

export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const frameHeaderBytes = 9;
/** SETTINGS_MAX_FRAME_SIZE of both sides until they say otherwise; ours stays so. */
export const defaultMaxFrameBytes = 16_384;
export const maxMaxFrameBytes = 0xff_ffff;
export const defaultWindowBytes = 65_535;
export const maxWindowBytes = 0x7fff_ffff;

/** The peer broke the rules in a way after which the connection means nothing (RFC 9113 section 5.4.1). */
export class ConnectionError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** One stream is at fault, the connection continues (section 5.4.2). */
export class StreamError extends Error {
  readonly streamId: number;
  readonly code: ErrorCode;
  constructor(streamId: number, code: ErrorCode, message: string) {
    super(message);
    this.streamId = streamId;
    this.code = code;
  }
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0: the connection itself. */
  readonly streamId: number;
  /** A view, valid until the next `push`. */
  readonly payload: Buffer;
}

const nothing = Buffer.alloc(0);

/** Cuts what a socket gives into frames. */
export class FrameReader {
  #data: Buffer = nothing;
  #position = 0;
  /** Came after `data` and is not worth joining to it before a whole frame is there. */
  readonly #parts: Buffer[] = [];
  #partsBytes = 0;
  #neededBytes = frameHeaderBytes;

  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#partsBytes += chunk.length;
    const rest = this.#data.length - this.#position;
    if (rest + this.#partsBytes < this.#neededBytes) return;
    this.#data =
      rest === 0 && this.#parts.length === 1
        ? chunk
        : Buffer.concat([this.#data.subarray(this.#position), ...this.#parts]);
    this.#position = 0;
    this.#parts.length = 0;
    this.#partsBytes = 0;
  }

  /** The next frame, if all of it is there. @throws {ConnectionError} when it is longer than allowed */
  next(): Frame | undefined {
    const data = this.#data;
    const position = this.#position;
    if (!this.#has(frameHeaderBytes)) return undefined;
    const length = data.readUIntBE(position, 3);
    if (length > defaultMaxFrameBytes) {
      throw new ConnectionError(errorCodes.frameSizeError, `a frame of ${length} bytes`);
    }
    if (!this.#has(frameHeaderBytes + length)) return undefined;
    const start = position + frameHeaderBytes;
    this.#position = start + length;
    return {
      type: data[position + 3] ?? 0,
      flags: data[position + 4] ?? 0,
      streamId: data.readUInt32BE(position + 5) & maxWindowBytes, // the highest bit is reserved
      payload: data.subarray(start, start + length),
    };
  }

  /** Takes bytes that are no frame: the client's preface. */
  take(length: number): Buffer | undefined {
    if (!this.#has(length)) return undefined;
    this.#position += length;
    return this.#data.subarray(this.#position - length, this.#position);
  }

  #has(length: number): boolean {
    const isThere = this.#data.length - this.#position >= length;
    this.#neededBytes = isThere ? frameHeaderBytes : length;
    return isThere;
  }
}

export function writeFrameHeader(to: Buffer, at: number, frame: Omit<Frame, 'payload'>, length: number): void {
  to[at] = length >>> 16;
  to[at + 1] = length >>> 8;
  to[at + 2] = length;
  to[at + 3] = frame.type;
  to[at + 4] = frame.flags;
  to.writeUInt32BE(frame.streamId, at + 5);
}
