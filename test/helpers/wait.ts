import { setTimeout as delay } from 'node:timers/promises';

/** Looks until `check` gives something else than undefined or false, or throws what it last said. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly withinMs?: number; readonly everyMs?: number; readonly what?: string } = {},
): Promise<Exclude<T, undefined | false>> {
  const { withinMs = 10_000, everyMs = 20, what = 'the condition' } = options;
  const deadline = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(everyMs);
  }
  throw new Error(`${what} did not come within ${withinMs} ms`, { cause: last });
}
