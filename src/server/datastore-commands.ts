/** `kagent datastore …` for operators: what each prints. What they do is in operations/. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { age, mebibytes, print, table } from '../shared/cli/cli.ts';
import { KagentError } from '../shared/errors.ts';
import { defaultDataDir, runPaths } from '../shared/paths.ts';
import { connectDatastore, EtcdCallError } from './etcd/etcd.ts';
import type { DatastoreClient, DatastoreFacts } from './etcd/etcd.ts';
import {
  checkDatastore,
  listSnapshots,
  pruneSnapshots,
  restoreDatastore,
  saveSnapshot,
  snapshotName,
  storeDirOf,
} from './operations/operations.ts';
import type { PrefixUsage } from './store/store.ts';
import { storeFileName, verifySnapshot } from './store/store.ts';

/** A check that found damage has said so already; the exit code says it to programs. */
export class DatastoreDamagedError extends KagentError {
  readonly code = 'DATASTORE_DAMAGED';
  readonly fault = 'operator';
  constructor(path: string) {
    super(
      `${path} is damaged; stop kagent and restore a snapshot: kagent datastore snapshot ls, then kagent datastore snapshot restore FILE`,
    );
  }
}

export class DatastoreNotServedError extends KagentError {
  readonly code = 'DATASTORE_NOT_SERVED';
  readonly fault = 'operator';
  constructor(endpoint: string, options: { readonly cause: unknown }) {
    super(
      `no datastore answers at ${endpoint}; start it (systemctl start kagent), or say where it is with --endpoint`,
      options,
    );
  }
}

interface Where {
  readonly endpoint: string;
  readonly output?: string;
}

const json = (value: unknown): void => print(JSON.stringify(value, null, 2));

export function operatorCommands(): readonly Command[] {
  return [statusCommand(), topCommand(), compactCommand(), defragCommand(), snapshotCommand(), checkCommand()];
}

function online(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--endpoint <url>', 'unix://PATH or http://127.0.0.1:PORT', `unix://${runPaths.datastoreSocket}`)
    .option('-o, --output <form>', "'json' for programs");
}

function offline(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--data-dir <dir>', "kagent's data dir, or that of `datastore serve`", defaultDataDir);
}

async function connected<T>({ endpoint }: Where, use: (client: DatastoreClient) => Promise<T>): Promise<T> {
  const client = connectDatastore(endpoint);
  try {
    return await use(client);
  } catch (error) {
    if (error instanceof EtcdCallError && error.isConnectionLost)
      throw new DatastoreNotServedError(endpoint, { cause: error });
    throw error;
  } finally {
    await client.close();
  }
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
  return online('top', 'Show which prefixes hold and write how much')
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
  return online('compact', 'Drop the versions that were replaced before a revision')
    .argument('[revision]', 'the oldest that stays readable (the newest)', count)
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
  return offline('check', 'Check the whole file of a datastore, or of a snapshot')
    .argument('[file]', 'a snapshot instead of the datastore')
    .option('-o, --output <form>', "'json' for programs")
    .action(async (file: string | undefined, options: { readonly dataDir: string; readonly output?: string }) => {
      const report = await checkDatastore(file ?? join(storeDirOf(options.dataDir), storeFileName));
      if (options.output === 'json') json(report);
      else
        for (const { what, problem } of report.findings)
          print(`${problem === undefined ? 'ok    ' : 'FAILED'} ${what}${problem === undefined ? '' : `: ${problem}`}`);
      if (!report.isSound) throw new DatastoreDamagedError(report.path);
    });
}

interface PruneOptions {
  readonly dataDir: string;
  readonly name: string;
  readonly snapshotRetention: number;
}

/** As k3s names what was not saved by schedule. */
const onDemand = 'on-demand';

/** k3s has the same words below `etcd-snapshot`. */
export function snapshotCommand(name = 'snapshot'): Command {
  const snapshot = new Command(name).description('Save the datastore to a file and take it back');
  const inDataDir = (dataDir: string): string => join(storeDirOf(dataDir), 'snapshots');
  snapshot.addCommand(
    online('save', 'Save the running datastore')
      .argument('[file]', 'where to (a new name in the folder for snapshots)')
      .option('--data-dir <dir>', "kagent's data dir", defaultDataDir)
      .option('--name <prefix>', 'what a new name begins with', onDemand)
      .action(async (file: string | undefined, where: Where & { readonly dataDir: string; readonly name: string }) => {
        const path = resolve(file ?? join(inDataDir(where.dataDir), snapshotName(where.name, hostname(), new Date())));
        const facts = await connected(where, (client) => saveSnapshot(client.snapshot(), path));
        if (where.output === 'json') json({ path, ...facts });
        else print(`${path} (${mebibytes(facts.sizeBytes)}, sha256 ${facts.sha256})`);
      }),
  );
  snapshot.addCommand(
    offline('ls', 'List the saved snapshots')
      .alias('list')
      .action(async ({ dataDir }: { readonly dataDir: string }) => {
        const files = await listSnapshots(inDataDir(dataDir));
        const rows = files.map(({ name: file, sizeBytes, createdAt, path }) => [
          file,
          mebibytes(sizeBytes),
          age(Date.now() - Date.parse(createdAt)),
          path,
        ]);
        print(table([['NAME', 'SIZE', 'AGE', 'PATH'], ...rows]));
      }),
  );
  snapshot.addCommand(
    new Command('verify')
      .description('Compare a snapshot with its checksum')
      .argument('<file>')
      .action(async (file: string) => {
        const { sha256, sizeBytes } = await verifySnapshot(file);
        print(`${file} is sound (${mebibytes(sizeBytes)}, sha256 ${sha256})`);
      }),
  );
  snapshot.addCommand(
    offline('restore', 'Make a snapshot the datastore; kagent must be stopped')
      .argument('<file>')
      .option(
        '--bump-revision <number>',
        'how far revisions jump, so that no client trusts what it remembers',
        count,
        1_000_000_000,
      )
      .action(async (file: string, options: { readonly dataDir: string; readonly bumpRevision: number }) => {
        const { bumpRevision } = options;
        const dir = storeDirOf(options.dataDir);
        const { revision, setAside } = await restoreDatastore(file, dir, { bumpRevision, now: new Date() });
        print(`${join(dir, storeFileName)} is restored, at revision ${revision}`);
        if (setAside !== undefined) print(`what was there is kept as ${setAside}`);
      }),
  );
  snapshot.addCommand(
    offline('prune', 'Remove all but the newest snapshots')
      .option('--name <prefix>', 'of those whose names begin so', onDemand)
      .option('--snapshot-retention <number>', 'how many stay', count, 5)
      .action(async (options: PruneOptions) => {
        const { dataDir, name: prefix, snapshotRetention } = options;
        for (const { path } of await pruneSnapshots(inDataDir(dataDir), prefix, snapshotRetention)) {
          print(`removed ${path}`);
        }
      }),
  );
  return snapshot;
}

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is no whole number.');
  return Number(text);
}
