import { SharedProcess } from './shared-process.ts';
import { spawnChild } from './spawn.ts';
import type { Ending, Launched, Life, SupervisorOptions } from './types.ts';

export interface Launcher {
  /** @param signal ends the wait of a part for others of its process */
  launch(launched: Launched, signal: AbortSignal): Promise<Life>;
}

/** Starts lives: each child a process, or a part of one that it shares. */
export function createLauncher(options: SupervisorOptions): Launcher {
  const shared = new Map<string, SharedProcess>();
  return {
    async launch(launched, signal) {
      const { partOf } = launched.spec;
      if (partOf === undefined) return launchAlone(launched, options);
      const { name } = partOf.process;
      const process = shared.get(name) ?? new SharedProcess(partOf.process, options);
      shared.set(name, process);
      return process.isAlone(launched.name)
        ? launchAlone(launched, options)
        : process.join({ ...launched, partOf }, signal);
    },
  };
}

async function launchAlone({ name, spec, onLine }: Launched, options: SupervisorOptions): Promise<Life> {
  const child = await spawnChild(spec, { cgroups: options.cgroupsFor(name), onLine });
  options.registry.add(name, child.pid);
  let isAsked = false;
  const ended = (async (): Promise<Ending> => {
    const text = await child.ended;
    options.registry.remove(child.pid);
    return { text, isItsOwn: true, isAsked };
  })();
  return {
    pid: child.pid,
    ended,
    signal: (signal) => child.signal(signal),
    stop: () => child.signal('SIGTERM'),
    tellReady() {},
    blame(reason) {
      isAsked = reason.isAsked;
      return true;
    },
  };
}
