import type { WebSocket } from 'ws';
import type { FromServer } from '../../shared/protocol/channel.ts';

/** What one node may send: some in a burst, then so many a second. A heartbeat is one; one more for each so many bytes. */
const burst = 300;
const perSecond = 20;
const bytesOfOne = 16 * 1024;
/** A node is asked for logs: its answer is not held against it. */
const ofCommand = 300;

/** What a node has not read: beyond the first nothing more is heard of it, beyond the second, or after a while, it is dropped. */
const pausedAtBytes = 64 * 1024;
const droppedAtBytes = 1024 * 1024;
const unreadForMs = 5000;

/**
 * Keeps a node from filling the server's memory or time. It is not answered with an error: its messages wait at its own
 * end, as TCP has it.
 */
export class Flow {
  readonly #link: WebSocket;
  readonly #reasons = new Set<string>();
  #budget = burst;
  #atMs = performance.now();
  #unread: NodeJS.Timeout | undefined;

  constructor(link: WebSocket) {
    this.#link = link;
    link.on('ping', (data: Buffer) => this.received(data.length));
    link.on('close', () => clearTimeout(this.#unread));
  }

  /** Nothing more is read until `release` with the same reason. */
  hold(reason: string): void {
    this.#reasons.add(reason);
    this.#link.pause();
  }

  release(reason: string): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#link.resume();
  }

  received(sizeBytes: number): void {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#atMs) / 1000) * perSecond;
    this.#atMs = nowMs;
    this.#budget = Math.max(this.#budget, Math.min(burst, this.#budget + earned)) - 1 - sizeBytes / bytesOfOne;
    this.#holdUnread(); // a ping is answered by itself
    if (this.#budget >= 0 || this.#reasons.has('rate')) return;
    this.hold('rate');
    setTimeout(() => this.release('rate'), (-this.#budget / perSecond) * 1000).unref();
  }

  send(message: FromServer): void {
    if (message.type === 'open') this.#budget += 1;
    if (message.type === 'command') this.#budget += ofCommand;
    this.#link.send(JSON.stringify(message), () => this.#isRead());
    this.#holdUnread();
  }

  #holdUnread(): void {
    const { bufferedAmount } = this.#link;
    if (bufferedAmount > droppedAtBytes) return this.#link.terminate();
    if (bufferedAmount <= pausedAtBytes || this.#unread !== undefined) return;
    this.hold('unread');
    this.#unread = setTimeout(() => this.#link.terminate(), unreadForMs).unref();
  }

  #isRead(): void {
    if (this.#unread === undefined || this.#link.bufferedAmount > pausedAtBytes) return;
    clearTimeout(this.#unread);
    this.#unread = undefined;
    this.release('unread');
  }
}
