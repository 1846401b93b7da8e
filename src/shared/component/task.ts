import { messageOf } from '../errors.ts';
import { conditionTracker } from './condition.ts';
import type { Component } from './component.ts';

/** A component with nothing to keep alive: work that is done once before others start. */
export function task(
  name: string,
  after: readonly string[],
  run: (signal: AbortSignal) => Promise<void>,
  undo: () => Promise<void> = async () => {},
): Component {
  const condition = conditionTracker();
  return {
    name,
    after,
    async start(signal) {
      try {
        await run(signal);
        condition.set('True', 'Done', '');
      } catch (error) {
        condition.set('False', 'Failed', messageOf(error));
        throw error;
      }
    },
    stop: undo,
    health: () => condition.current(),
  };
}
