import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { pause } from '../../shared/pause.ts';

/** When to look again besides at the next change. */
export interface PassResult {
  readonly hasFailed: boolean;
  /** Something is only waiting for its time: a file that is being written, an object that may come back. */
  readonly isWaiting: boolean;
}

export interface FollowOptions {
  readonly pass: (signal: AbortSignal) => Promise<PassResult>;
  /** The folders whose changes count, as the last pass found them. */
  readonly dirs: () => readonly string[];
  /** Between a change and the look at it: an editor writes in several steps. */
  readonly settleMs: number;
  readonly signal: AbortSignal;
}

/** What no notice tells of: a link's target, a folder on another machine. As often as k3s looks. */
const idleMs = 15_000;
const firstRetryMs = 1000;
const maxRetryMs = 60_000;

/** Passes at once, after each change in the folders, and now and then; after failures less and less often. */
export async function follow({ pass, dirs, settleMs, signal }: FollowOptions): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const watchers = new Watchers(() => changed.resolve());
  const ended = () => changed.resolve();
  signal.addEventListener('abort', ended);
  let failures = 0;
  while (!signal.aborted) {
    const { hasFailed, isWaiting } = await pass(signal);
    watchers.keep(dirs());
    failures = hasFailed ? failures + 1 : 0;
    const retryMs = hasFailed ? Math.min(firstRetryMs * 2 ** (failures - 1), maxRetryMs) : idleMs;
    const isChanged = await Promise.race([
      changed.promise.then(() => true),
      pause(isWaiting ? settleMs : retryMs, signal).then(() => false),
    ]);
    changed = Promise.withResolvers<void>();
    if (!isChanged) continue;
    failures = 0;
    await pause(settleMs, signal);
  }
  watchers.keep([]);
}

class Watchers {
  readonly #onChange: () => void;
  readonly #all = new Map<string, FSWatcher>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** A folder that is new may have changed since it was looked into. */
  keep(dirs: readonly string[]): void {
    for (const [dir, watcher] of this.#all) if (!dirs.includes(dir)) this.#end(dir, watcher);
    for (const dir of dirs.filter((one) => !this.#all.has(one))) {
      try {
        const watcher = watch(dir, () => this.#onChange());
        watcher.on('error', () => this.#end(dir, watcher));
        this.#all.set(dir, watcher);
        this.#onChange();
      } catch {
        // gone again, or no more watches to be had: the next pass comes anyway
      }
    }
  }

  #end(dir: string, watcher: FSWatcher): void {
    watcher.close();
    this.#all.delete(dir);
  }
}
