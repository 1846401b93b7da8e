import type { Component, Condition } from '../component/component.ts';
import { conditionTracker } from '../component/component.ts';
import type { ProcessSpec, SupervisedProcess, Supervisor } from './process.ts';

export interface ProcessComponent extends Component {
  /** Ends the running process and starts the next; the specification is made anew only by stop and start. */
  restart(): Promise<void>;
}

/** A component that is one child process. `specify` runs at each start, when those it is `after` are ready. */
export function processComponent(options: {
  readonly name: string;
  readonly after: readonly string[];
  readonly supervisor: Supervisor;
  readonly specify: (signal: AbortSignal) => Promise<ProcessSpec>;
}): ProcessComponent {
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
    health(): Condition {
      const status = running?.status();
      if (status === undefined) return condition.current();
      if (status.state === 'ready') condition.set('True', 'Ready', '');
      else condition.set('False', reasons[status.state], status.lastExit ?? '');
      return condition.current();
    },
  };
}

const reasons = { starting: 'Starting', 'backing-off': 'BackingOff', stopped: 'Stopped' } as const;
