/** Headers: in one frame, or continued in CONTINUATION frames. Spec: RFC 9113, sections 6.2 and 6.10. */
import { headerBlock, onlyForStream } from './frame-checks.ts';
import { ConnectionError, errorCodes, flags, frameTypes } from './frames.ts';
import type { Frame } from './frames.ts';
import { maxHeaderListBytes } from './hpack.ts';

/** Empty frames cost the peer nothing, and us a piece each. */
const maxParts = 64;

class OpenHeaders {
  readonly streamId: number;
  /** No body follows. */
  readonly isLast: boolean;
  readonly #parts: Buffer[] = [];
  #sizeBytes = 0;

  constructor(streamId: number, isLast: boolean, first: Buffer) {
    this.streamId = streamId;
    this.isLast = isLast;
    this.add(first);
  }

  /** @throws {ConnectionError} when they have no end */
  add(part: Buffer): void {
    this.#parts.push(Buffer.from(part));
    this.#sizeBytes += part.length;
    if (this.#sizeBytes > maxHeaderListBytes || this.#parts.length > maxParts) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'headers without end');
    }
  }

  block(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** A request's headers, or its trailers, as they were sent. */
export interface HeaderBlock {
  readonly streamId: number;
  /** No body follows. */
  readonly isLast: boolean;
  readonly bytes: Buffer;
}

/** Puts the frames of each header block together. */
export class HeaderBlocks {
  #open: OpenHeaders | undefined;

  /** Between HEADERS and the last of its CONTINUATION frames nothing else may come. @throws {ConnectionError} */
  checkOrder({ type }: Frame): void {
    if (this.#open !== undefined && type !== frameTypes.continuation) {
      throw new ConnectionError(errorCodes.protocolError, 'headers are not finished');
    }
  }

  /** @returns undefined while more is to come */
  headers(frame: Frame): HeaderBlock | undefined {
    const { streamId, flags: bits } = frame;
    onlyForStream(frame);
    const bytes = headerBlock(frame);
    const isLast = (bits & flags.endStream) !== 0;
    if ((bits & flags.endHeaders) !== 0) return { streamId, isLast, bytes };
    this.#open = new OpenHeaders(streamId, isLast, bytes);
    return undefined;
  }

  /** @returns undefined while more is to come */
  continuation({ streamId, flags: bits, payload }: Frame): HeaderBlock | undefined {
    const open = this.#open;
    if (open === undefined || open.streamId !== streamId) {
      throw new ConnectionError(errorCodes.protocolError, 'CONTINUATION of nothing');
    }
    open.add(payload);
    if ((bits & flags.endHeaders) === 0) return undefined;
    this.#open = undefined;
    return { streamId, isLast: open.isLast, bytes: open.block() };
  }
}
