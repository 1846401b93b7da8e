/** Streams with data that waits for the peer's windows. */
import type { Stream } from './stream.ts';

export class BlockedStreams {
  readonly #streams = new Set<Stream>();
  #waitingBytes = 0;

  /** Of all streams together. */
  get sizeBytes(): number {
    return this.#waitingBytes;
  }

  /** So many bytes more wait, or fewer. */
  changed(stream: Stream, bytes: number): void {
    this.#waitingBytes += bytes;
    if (bytes > 0) this.#streams.add(stream);
  }

  forget(stream: Stream): void {
    this.#streams.delete(stream);
  }

  /** One frame of each stream, and again, until nothing more goes: all get their share of the connection's window. */
  pump(): void {
    for (let hasSent = true; hasSent;) {
      hasSent = false;
      for (const stream of this.#streams) hasSent = this.#pumpFrame(stream) || hasSent;
    }
  }

  /** The stream's own window has grown. */
  pumpStream(stream: Stream): void {
    while (this.#pumpFrame(stream));
  }

  #pumpFrame(stream: Stream): boolean {
    const hasSent = stream.pump();
    if (!stream.hasQueued) this.#streams.delete(stream);
    return hasSent;
  }
}
