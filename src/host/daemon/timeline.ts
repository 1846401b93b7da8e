/** When each component was begun and ready, in milliseconds from the start of the process. */
export interface Timeline {
  starting(name: string): void;
  ready(name: string): void;
  tookMs(name: string): number | undefined;
  of(name: string): { readonly startedAtMs?: number; readonly readyAtMs?: number };
  end(): void;
}

/** How far a start is, told once a second and at each step. */
export interface Progress {
  readonly elapsedMs: number;
  readonly ready: readonly string[];
  readonly starting: readonly string[];
  readonly total: number;
  /** What holds it up, in a sentence, once it takes long. */
  readonly heldUpBy?: string | undefined;
}

export function timeline(
  names: readonly string[],
  onProgress: (progress: Progress) => void,
  heldUpBy: () => string | undefined = () => undefined,
): Timeline {
  const started = new Map<string, number>();
  const ready = new Map<string, number>();
  const nowMs = () => Math.round(process.uptime() * 1000);
  const tell = () =>
    onProgress({
      elapsedMs: nowMs(),
      ready: [...ready.keys()],
      starting: [...started.keys()].filter((name) => !ready.has(name)),
      total: names.length,
      heldUpBy: heldUpBy(),
    });
  const everySecond = setInterval(tell, 1000);
  return {
    starting(name) {
      started.set(name, nowMs());
      tell();
    },
    ready(name) {
      ready.set(name, nowMs());
      tell();
    },
    tookMs(name) {
      const [from, to] = [started.get(name), ready.get(name)];
      return from === undefined || to === undefined ? undefined : to - from;
    },
    of(name) {
      const [startedAtMs, readyAtMs] = [started.get(name), ready.get(name)];
      return {
        ...(startedAtMs !== undefined && { startedAtMs }),
        ...(readyAtMs !== undefined && { readyAtMs }),
      };
    },
    end: () => clearInterval(everySecond),
  };
}
