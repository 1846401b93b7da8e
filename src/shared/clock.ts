/**
 * @module
 * Time as a thing that is passed in, so that a test can hold its own.
 */
export interface Clock {
  /** Milliseconds since 1970, may jump. */
  now(): number;
  /** Milliseconds since some point in the past, never goes back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** RFC 3339, UTC. */
export function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
