import { pause } from '../shared/pause.ts';

export interface WorkQueueOptions {
  /** What is to be done about one key; rejects to be called again later. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  readonly onFailure: (key: string, error: unknown) => void;
  /** How many keys are worked on at once. */
  readonly atOnce: number;
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

/**
 * Keys of objects to look at: each once however often it is added, never twice at the same time, after failures less and less
 * often. As client-go's workqueue.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Also of one that waits for its next try: that is now. */
  add(key: string): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.add(key);
    this.#next();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.atOnce) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#options.work(key, signal);
      this.#failures.delete(key);
    } catch (error) {
      if (!signal.aborted) this.#failed(key, error);
    } finally {
      this.#running.delete(key);
      this.#next();
    }
  }

  #failed(key: string, error: unknown): void {
    const { firstRetryMs = 500, maxRetryMs = 60_000 } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#options.onFailure(key, error);
    const waitMs = Math.min(firstRetryMs * 2 ** (failures - 1), maxRetryMs);
    void pause(waitMs, this.#stopping.signal).then(() => this.add(key));
  }
}
