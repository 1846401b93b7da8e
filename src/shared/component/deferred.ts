import { conditionTracker } from './condition.ts';
import type { Component } from './types.ts';

/** A component that is made only when those it is `after` are ready: it is made of what they found out. */
export function deferred<Name extends string>(
  name: Name,
  after: readonly Name[],
  make: () => Component<Name>,
): Component<Name> {
  const waiting = conditionTracker();
  let made: Component<Name> | undefined;
  return {
    name,
    after,
    async start(signal) {
      made = make();
      await made.start(signal);
    },
    stop: async () => made?.stop(),
    health: () => made?.health() ?? waiting.current(),
  };
}
