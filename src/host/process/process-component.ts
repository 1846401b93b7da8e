import type { Component, ComponentName } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import type { ProcessSpec, SupervisedProcess, Supervisor } from './types.ts';

export interface ProcessComponent<Name extends string = ComponentName> extends Component<Name> {
  /** Ends the running process and starts the next; the specification is made anew only by stop and start. */
  restart(): Promise<void>;
}

/** A component that is one child process. `specify` runs at each start, when those it is `after` are ready. */
export function processComponent<Name extends string>(options: {
  readonly name: Name;
  readonly after: readonly Name[];
  readonly supervisor: Supervisor;
  readonly specify: (signal: AbortSignal) => Promise<ProcessSpec>;
}): ProcessComponent<Name> {
  const { name, after, supervisor, specify } = options;
  const condition = conditionTracker();
  let running: SupervisedProcess | undefined;
  return {
    name,
    after,
    async start(signal) {
      running = await supervisor.supervise(name, await specify(signal), signal);
    },
    async stop() {
      await running?.stop();
    },
    async restart() {
      await running?.restart();
    },
    // While it starts, too, when `supervise` has not resolved.
    health: () => supervisor.processes().find((one) => one.name === name)?.condition ?? condition.current(),
  };
}
