import type { Clock } from '../../shared/clock.ts';
import { TooManyAttemptsError } from './errors.ts';

/** Slows down who guesses tokens: after `allowed` wrong ones an address waits, each time twice as long. */
export interface WrongTokens {
  /** @throws {TooManyAttemptsError} while the address must wait */
  check(address: string): void;
  /** @returns seconds the address has to wait now; 0 while it may go on */
  record(address: string): number;
  forget(address: string): void;
}

const allowed = 5;
const firstWaitMs = 1000;
const longestWaitMs = 60_000;
/** More addresses than this are an attack, and the oldest are forgotten: memory stays bounded. */
const addressesKept = 4096;

interface Attempts {
  readonly count: number;
  readonly untilMs: number;
}

export function createWrongTokens(clock: Clock): WrongTokens {
  const byAddress = new Map<string, Attempts>();
  return {
    check(address) {
      const waitMs = (byAddress.get(address)?.untilMs ?? 0) - clock.monotonicMs();
      if (waitMs > 0) throw new TooManyAttemptsError(Math.ceil(waitMs / 1000));
    },
    record(address) {
      const count = (byAddress.get(address)?.count ?? 0) + 1;
      const waitMs = count < allowed ? 0 : Math.min(firstWaitMs * 2 ** (count - allowed), longestWaitMs);
      byAddress.delete(address); // so that it is the newest again
      byAddress.set(address, { count, untilMs: clock.monotonicMs() + waitMs });
      const oldest = byAddress.keys().next();
      if (byAddress.size > addressesKept && !oldest.done) byAddress.delete(oldest.value);
      return Math.ceil(waitMs / 1000);
    },
    forget(address) {
      byAddress.delete(address);
    },
  };
}
