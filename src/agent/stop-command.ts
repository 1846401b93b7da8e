/** `kagent stop`: stops kagent on this box, by the service manager or whoever started it; pods keep running. */
import { Command, Option } from 'commander';
import { duration } from '../cli/cli.ts';
import { askStatus } from '../host/daemon/daemon.ts';
import { KagentError } from '../shared/errors.ts';
import { pathsOf, runPaths } from '../shared/paths.ts';
import { processRun } from '../host/process/process.ts';
import type { DrainResponse } from '../shared/protocol/drain.ts';
import { requestDrain } from './membership/membership.ts';
import { runStop } from '../host/remove/remove.ts';
import type { Outcome, RemoveOptions } from '../host/remove/remove.ts';

class DrainTimeoutError extends KagentError {
  readonly code = 'DRAIN_TIMEOUT';
  readonly fault = 'operator';

  constructor(timeoutMs: number, left: DrainResponse['left']) {
    const pods = left.map(({ pod, reason }) => `\n  ${pod}: ${reason}`).join('');
    super(
      `after ${timeoutMs / 1000} s ${left.length} pods are still here; kagent keeps running, and the node accepts pods again. Give a longer --timeout, or stop without --drain.${pods}`,
    );
  }
}

interface Flags {
  readonly drain: boolean;
  readonly timeout: number;
}

export function stopCommand(
  removeOptions: () => Promise<RemoveOptions>,
  conclude: (outcome: Outcome) => void,
): Command {
  return new Command('stop')
    .description('Stop kagent; pods keep running')
    .option('--drain', 'move its pods to other nodes first; it accepts pods again from its next start', false)
    .addOption(
      new Option('--timeout <time>', 'how long moving them may take').argParser(duration).default(300_000, '5m'),
    )
    .action(async ({ drain, timeout }: Flags) => {
      const options = await removeOptions();
      if (drain) await moveAway(options, timeout);
      conclude(await runStop(options));
    });
}

/** @throws {NotRunningError} and what `requestDrain` throws @throws {DrainTimeoutError} */
async function moveAway({ print }: RemoveOptions, timeoutMs: number): Promise<void> {
  const { pid, dataDir } = await askStatus(runPaths.statusSocket);
  const { done, moved, left } = await requestDrain(pathsOf(dataDir), { run: processRun(pid), timeoutMs });
  if (!done) throw new DrainTimeoutError(timeoutMs, left);
  print(`${moved} pods moved away`);
  for (const { pod, reason } of left) print(`stays: ${pod}: ${reason}`);
}
