import type { Clock } from '../../shared/clock.ts';
import { Rate } from '../../shared/rate/rate.ts';
import { TooManyAttemptsError } from './errors.ts';

/**
 * Slows down who guesses tokens. After `allowed` wrong ones an address waits, each time twice as long; a right one in
 * between changes nothing, since who guesses one token may well know another. While wrong ones come from everywhere, an
 * address waits after its first; one that has shown none is always let in.
 */
export interface WrongTokens {
  /**
   * Looks at a token that an address shows; at those of one address one after another, so that many at once are as slow
   * as many in a row. @throws {TooManyAttemptsError} while the address must wait
   */
  attempt<T>(address: string, find: () => Promise<T | undefined>): Promise<Attempt<T>>;
}

export interface Attempt<T> {
  /** undefined: it was wrong. */
  readonly found: T | undefined;
  /** How long the address has to wait now; 0 while it may show another. */
  readonly waitSeconds: number;
}

const allowed = 5;
const firstWaitMs = 1000;
const longestWaitMs = 60_000;
const forgottenAfterMs = 60 * 60 * 1000;
/** More addresses than this are an attack, and the oldest are forgotten: memory stays bounded. */
const addressesKept = 16_384;
/** Wrong ones of all addresses together: people who mistype are far below. */
const overall = { burst: 100, perSecond: 1 };
const everybody = 'everybody';

interface Wrong {
  readonly count: number;
  readonly lastMs: number;
  readonly untilMs: number;
}

export function createWrongTokens(clock: Clock): WrongTokens {
  const byAddress = new Map<string, Wrong>();
  const turns = new Map<string, Promise<unknown>>();
  const together = new Rate(overall, clock);

  const wrongOf = (address: string, nowMs: number): Wrong | undefined => {
    const wrong = byAddress.get(address);
    return wrong === undefined || nowMs - wrong.lastMs > forgottenAfterMs ? undefined : wrong;
  };
  /** @throws {TooManyAttemptsError} */
  const check = (address: string): void => {
    const nowMs = clock.monotonicMs();
    const wrong = wrongOf(address, nowMs);
    if (wrong === undefined) return;
    const waitMs = (together.isSpent(everybody) ? wrong.lastMs + longestWaitMs : wrong.untilMs) - nowMs;
    if (waitMs > 0) throw new TooManyAttemptsError(Math.ceil(waitMs / 1000));
  };
  /** @returns seconds to wait */
  const record = (address: string): number => {
    const nowMs = clock.monotonicMs();
    const count = (wrongOf(address, nowMs)?.count ?? 0) + 1;
    const ownMs = count < allowed ? 0 : Math.min(firstWaitMs * 2 ** (count - allowed), longestWaitMs);
    const waitMs = together.take(everybody) ? ownMs : longestWaitMs;
    byAddress.delete(address); // so that it is the newest again
    byAddress.set(address, { count, lastMs: nowMs, untilMs: nowMs + ownMs });
    const [oldest] = byAddress.keys();
    if (byAddress.size > addressesKept && oldest !== undefined) byAddress.delete(oldest);
    return Math.ceil(waitMs / 1000);
  };

  return {
    attempt<T>(address: string, find: () => Promise<T | undefined>): Promise<Attempt<T>> {
      const looked = async (): Promise<Attempt<T>> => {
        check(address);
        const found = await find();
        return { found, waitSeconds: found === undefined ? record(address) : 0 };
      };
      const turn = (turns.get(address) ?? Promise.resolve()).then(looked, looked);
      turns.set(address, turn);
      const over = () => turns.get(address) === turn && turns.delete(address);
      turn.then(over, over);
      return turn;
    },
  };
}
