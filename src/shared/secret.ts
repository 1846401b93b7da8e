/**
 * @module
 * A text that must not reach a log, an error or a status by accident.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const redacted = '[redacted]';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The text itself: for a file with mode 0600, a child's environment or a TLS connection. */
  reveal(): string {
    return this.#value;
  }

  /** Takes the same time wherever the two differ. */
  equals(other: Secret): boolean {
    const digest = (value: string) => createHash('sha256').update(value).digest();
    return timingSafeEqual(digest(this.#value), digest(other.#value));
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
