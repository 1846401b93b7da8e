import { messageOf } from '../../shared/errors.ts';
import type { Outcome } from './types.ts';

/** A part of the work; says what could not be done and continues. */
export interface Step {
  readonly title: string; // past tense: 'pods ended'
  readonly run: () => Promise<Partial<Outcome>>;
}

/** One after the other, whatever becomes of each: a half-removed kagent is worse than one removed but for a file. */
export async function runSteps(steps: readonly Step[], print: (line: string) => void): Promise<Outcome> {
  const stayed: string[] = [];
  const failed: string[] = [];
  for (const { title, run } of steps) {
    const startedMs = performance.now();
    const outcome = await run().catch((error: unknown) => ({ failed: [messageOf(error)], stayed: [] }));
    stayed.push(...(outcome.stayed ?? []));
    failed.push(...(outcome.failed ?? []));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    print((outcome.failed ?? []).length === 0 ? `${title} (${seconds} s)` : `not all ${title} (${seconds} s)`);
  }
  return { stayed, failed };
}

export function printOutcome({ stayed, failed }: Outcome, print: (line: string) => void): void {
  for (const sentence of stayed) print(`stays: ${sentence}`);
  for (const sentence of failed) print(`failed: ${sentence}`);
}
