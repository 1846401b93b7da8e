import { messageOf, remedyOf } from '../errors.ts';
import { conditionTracker } from './condition.ts';
import type { Component } from './types.ts';

/** Tells what the work waits for now, and what would help: `reason` in CamelCase, `message` a sentence. */
export type SaysWait = (reason: string, message: string) => void;

/** A component with nothing to keep alive: work that is done once before others start. */
export function task<Name extends string>(
  name: Name,
  after: readonly Name[],
  run: (signal: AbortSignal, saysWait: SaysWait) => Promise<void>,
  undo: () => Promise<void> = async () => {},
): Component<Name> {
  const condition = conditionTracker();
  return {
    name,
    after,
    async start(signal) {
      try {
        await run(signal, (reason, message) => condition.set('False', reason, message));
        condition.set('True', 'Done', '');
      } catch (error) {
        condition.set('False', 'Failed', messageOf(error), remedyOf(error));
        throw error;
      }
    },
    stop: undo,
    health: () => condition.current(),
  };
}
