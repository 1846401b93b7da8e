/**
 * @module
 * `kagent support`: one archive with what somebody needs who is to help: status, settings, logs, the box, the cluster.
 * Knows: what to collect, and that no secret may be in it. Works also when kagent is down or half broken.
 * Leaves to others: what is wrong (the doctor), which it asks as it asks every command: from outside.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { duration, mebibytes, print, settingsOfHost } from '../cli/cli.ts';
import { rfc3339, systemClock } from '../shared/clock.ts';
import { askStatus } from '../host/daemon/daemon.ts';
import { pathsOf, runPaths } from '../shared/paths.ts';

const dayMs = 24 * 60 * 60 * 1000;

interface SupportFlags {
  readonly output?: string;
  readonly since: number;
  readonly dataDir?: string;
}

export function supportCommand(): Command {
  return new Command('support')
    .description('Write an archive with status, settings, logs and the state of box and cluster; secrets are left out')
    .option('-o, --output <file>', 'the archive (kagent-support-HOST-TIME.tar.gz in this folder)')
    .addOption(new Option('--since <time>', 'logs written within this time').default(dayMs, '24h').argParser(duration))
    .option('--data-dir <path>', "where kagent keeps its data (the running kagent's, or the installed service's)")
    .action(async ({ output, since, dataDir }: SupportFlags) => {
      const nowMs = systemClock.now();
      const time = rfc3339(nowMs).replaceAll(/[-:]|\.\d+/g, '');
      const root = `kagent-support-${hostname()}-${time}`;
      const path = resolve(output ?? `${root}.tar.gz`);
      const running = await askStatus(runPaths.statusSocket).catch(() => undefined);
      const dir = dataDir ?? (await settingsOfHost()).dataDir;
      const { gather } = await import('./gather.ts'); // other commands have no use for it
      const asked = { paths: pathsOf(dir), pid: running?.pid, sinceMs: nowMs - since, path, root };
      const { fileCount, sizeBytes, errors } = await gather(asked);
      print(`${path}: ${fileCount} files, ${mebibytes(sizeBytes)}, mode 0600`);
      if (errors.length > 0) print(`${errors.length} parts are missing: errors.txt in it says why`);
      print('Tokens, passwords and keys are left out; check it before you give it to anybody.');
    });
}
