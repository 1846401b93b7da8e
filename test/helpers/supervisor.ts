/** A supervisor of shell scripts, with its logs and records in a folder of the test's own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createEventLog } from '../../src/shared/events/events.ts';
import { silentLog } from '../../src/shared/log/log.ts';
import { childLogs, childRegistry, createSupervisor } from '../../src/host/process/process.ts';
import type { ProcessSpec } from '../../src/host/process/process.ts';
import { temporaryDir } from './temporary.ts';

type Options = Partial<Parameters<typeof createSupervisor>[0]>;

export function supervisorOfScripts(options: Options = {}) {
  const dir = temporaryDir();
  const events = createEventLog({ keep: 100 });
  const supervisor = createSupervisor({
    log: silentLog,
    events,
    logs: childLogs(join(dir, 'logs'), { maxBytes: 100_000 }),
    registry: childRegistry(join(dir, 'children.json'), silentLog),
    cgroupsFor: () => [],
    ...options,
  });
  /** Ready as soon as the script has made the file `$DIR/ready`. */
  const shell = (script: string, spec: Partial<ProcessSpec> = {}): ProcessSpec => ({
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin', DIR: dir },
    ready: async () => {
      if (!existsSync(join(dir, 'ready'))) throw new Error('the file ready is not there');
    },
    stopTimeoutMs: 500,
    backoff: { minMs: 10, maxMs: 40, stableAfterMs: 60_000 },
    ...spec,
  });
  return { dir, events, supervisor, shell, never: new AbortController().signal };
}

/** Of a script that is ready at once and never ends. */
export const forever = 'touch $DIR/ready; while :; do sleep 0.05; done';
