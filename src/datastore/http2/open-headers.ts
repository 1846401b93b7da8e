/** Headers that continue in CONTINUATION frames. Spec: RFC 9113, section 6.10. */
import { ConnectionError, errorCodes } from './frames.ts';
import { maxHeaderListBytes } from './hpack.ts';

/** Empty frames cost the peer nothing, and us a piece each. */
const maxParts = 64;

export class OpenHeaders {
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
