import { rfc3339 } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { NameAttempt } from '../identity/identity.ts';
import type { NodeCondition } from './conditions.ts';

/** So long people are told of it by the Node's condition. */
const toldMs = 24 * 60 * 60 * 1000;

/** Which nodes' names another machine has asked for. */
export class NameClaims {
  readonly #clock: Clock;
  readonly #last = new Map<string, { readonly message: string; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns what happened, for an event */
  add({ nodeName, address, refusal }: NameAttempt): string {
    const atMs = this.#clock.now();
    const outcome = refusal === undefined ? 'it has the name now' : 'it did not get it';
    const message = `another machine asked for the name of this node from ${address}: ${outcome}`;
    this.#last.set(nodeName, { message: `${message} (${rfc3339(atMs)})`, atMs });
    return message;
  }

  conditionOf(nodeName: string): readonly NodeCondition[] {
    const last = this.#last.get(nodeName);
    if (last === undefined) return [];
    const type = 'kagent.sh/NameUndisputed';
    if (this.#clock.now() - last.atMs < toldMs)
      return [{ type, status: 'False', reason: 'ClaimedByAnotherMachine', message: last.message }];
    return [{ type, status: 'True', reason: 'NotClaimed', message: 'nobody else has asked for the name for a day' }];
  }
}
