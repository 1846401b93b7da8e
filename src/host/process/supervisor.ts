import { createLauncher } from './launch.ts';
import type { Supervisor, SupervisorOptions } from './types.ts';
import { Supervised } from './supervised.ts';

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const all = new Map<string, Supervised>();
  const launcher = createLauncher(options);
  return {
    async supervise(name, spec, signal) {
      const supervised = new Supervised(name, spec, options, launcher);
      all.set(name, supervised);
      await supervised.start(signal);
      return supervised;
    },
    async restart(name) {
      const supervised = all.get(name);
      await supervised?.restart();
      return supervised !== undefined;
    },
    processes: () => [...all.values()].map((supervised) => supervised.status()),
  };
}
