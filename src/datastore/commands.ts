/** `kagent datastore …` for operators: what each prints. What they do is in backup/ and store/. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { mebibytes, print, table } from '../cli/cli.ts';
import { KagentError } from '../shared/errors.ts';
import { connected, count, json, offline, online, placeOf } from './place.ts';
import type { PlaceFlags, Where } from './place.ts';
import type { DatastoreFacts } from './client/client.ts';
import { checkDatastore, findSnapshot } from './backup/backup.ts';
import { etcdCommand } from './etcd-commands.ts';
import { serveCommand } from './serve.ts';
import { snapshotCommand } from './snapshot-commands.ts';
import type { PrefixUsage } from './store/store.ts';
import { storeFileName } from './store/store.ts';

/** A check that found damage has said so already; the exit code says it to programs. */
export class DatastoreDamagedError extends KagentError {
  readonly code = 'DATASTORE_DAMAGED';
  readonly fault = 'operator';
  constructor(path: string) {
    super(`${path} is damaged`, {
      remedy:
        'stop kagent and restore a snapshot: kagent datastore snapshot ls, then kagent datastore snapshot restore FILE',
    });
  }
}

export class DatastoreMissingError extends KagentError {
  readonly code = 'DATASTORE_MISSING';
  readonly fault = 'operator';
  constructor(path: string) {
    super(`there is no datastore ${path}`, { remedy: 'say which data dir is meant with --data-dir' });
  }
}

/** `kagent datastore`, and k3s's name for its `snapshot`. */
export function datastoreCommands(): readonly Command[] {
  const datastore = new Command('datastore').description(
    "Manage the cluster's datastore, which is compatible with etcd",
  );
  const operators = [
    statusCommand(),
    topCommand(),
    compactCommand(),
    defragCommand(),
    snapshotCommand(),
    checkCommand(),
  ];
  for (const command of [serveCommand(), ...operators]) datastore.addCommand(command);
  return [datastore, snapshotCommand('etcd-snapshot'), etcdCommand()];
}

function statusCommand(): Command {
  return online('status', 'Show what the running datastore holds').action(async (where: Where) => {
    const facts = await connected(where, (client) => client.stats());
    if (where.output === 'json') json(facts);
    else print(statusText(facts));
  });
}

function statusText(facts: DatastoreFacts): string {
  const compacted = facts.compactRevision > 0 ? `, compacted up to ${facts.compactRevision}` : '';
  const used = `${mebibytes(facts.usedSizeBytes)} used of ${mebibytes(facts.fileSizeBytes)} on disk, quota ${mebibytes(facts.quotaBytes)}`;
  return table([
    ['revision', `${facts.revision}${compacted}`],
    ['keys', `${facts.keys}, with history ${facts.versions} versions`],
    ['size', used],
    ['watches', String(facts.watches)],
    ['leases', String(facts.leases)],
    ['alarms', facts.alarms.length === 0 ? 'none' : facts.alarms.join(', ')],
  ]);
}

function topCommand(): Command {
  return online('top', 'Show how much each key prefix holds, and how often it is written')
    .option('--depth <parts>', 'parts of a key that make a prefix', count, 2)
    .option('--interval <seconds>', 'how long writes are counted', count, 5)
    .action(async ({ depth, interval, ...where }: Where & { readonly depth: number; readonly interval: number }) => {
      const usages = await connected(where, async (client) => {
        const { revision } = await client.stats();
        await delay(interval * 1000);
        return client.usage(depth, revision);
      });
      const sorted = usages.toSorted((a, b) => totalBytes(b) - totalBytes(a));
      if (where.output === 'json') json(sorted);
      else print(topText(sorted, interval));
    });
}

function totalBytes({ sizeBytes, oldSizeBytes }: PrefixUsage): number {
  return sizeBytes + oldSizeBytes;
}

function topText(usages: readonly PrefixUsage[], intervalSeconds: number): string {
  const rows = usages.map((usage) => [
    usage.prefix,
    String(usage.keys),
    kibibytes(usage.sizeBytes),
    String(usage.oldVersions),
    kibibytes(usage.oldSizeBytes),
    String(Math.round((usage.writes * 60) / intervalSeconds)),
  ]);
  return table([['PREFIX', 'KEYS', 'SIZE', 'OLD', 'OLD SIZE', 'WRITES/MIN'], ...rows]);
}

function kibibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}

function compactCommand(): Command {
  return online('compact', 'Drop the versions that were superseded before a revision')
    .argument('[revision]', 'the oldest one that stays readable (the newest)', count)
    .action(async (revision: number | undefined, where: Where) => {
      await connected(where, async (client) => {
        const before = await client.stats();
        await client.compact(revision ?? before.revision);
        const after = await client.stats();
        if (where.output === 'json') json(after);
        else
          print(
            `compacted up to revision ${after.compactRevision}: ${before.versions - after.versions} versions dropped`,
          );
      });
    });
}

function defragCommand(): Command {
  return online('defrag', 'Give unused space back to the file system').action(async (where: Where) => {
    await connected(where, async (client) => {
      const before = await client.stats();
      await client.defragment();
      const after = await client.stats();
      if (where.output === 'json') json(after);
      else print(`${mebibytes(before.fileSizeBytes)} → ${mebibytes(after.fileSizeBytes)}`);
    });
  });
}

function checkCommand(): Command {
  return offline('check', 'Check the whole file of the datastore, or of a snapshot')
    .argument('[file]', 'a snapshot, by path or name, instead of the datastore')
    .option('-o, --output <form>', "'json' for programs")
    .action(async (file: string | undefined, options: PlaceFlags & { readonly output?: string }) => {
      const { storeDir, snapshotDir } = await placeOf(options);
      const report = await checkDatastore(
        file === undefined ? storeIn(storeDir) : await findSnapshot(file, snapshotDir),
      );
      if (options.output === 'json') json(report);
      else
        for (const { what, problem } of report.findings)
          print(`${problem === undefined ? 'ok    ' : 'FAILED'} ${what}${problem === undefined ? '' : `: ${problem}`}`);
      if (!report.isSound) throw new DatastoreDamagedError(report.path);
    });
}

function storeIn(dir: string): string {
  const path = join(dir, storeFileName);
  if (!existsSync(path)) throw new DatastoreMissingError(path);
  return path;
}
