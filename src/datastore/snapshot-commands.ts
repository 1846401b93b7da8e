/** `kagent datastore snapshot …`, and k3s's `etcd-snapshot …`: what each prints. What they do is in operations/. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { age, mebibytes, print, table } from '../cli/cli.ts';
import { connected, count, json, offline, online, placeOf, withPlace } from './place.ts';
import type { PlaceFlags, Where } from './place.ts';
import {
  findSnapshot,
  isIn,
  listSnapshots,
  restoreDatastore,
  saveEtcdSnapshot,
  saveSnapshot,
  snapshotName,
  SnapshotRecords,
} from './backup/backup.ts';
import { storeFileName, verifySnapshot } from './store/store.ts';

/** As k3s names what was not saved by schedule. */
const onDemand = 'on-demand';

/** k3s has the same words below `etcd-snapshot`. */
export function snapshotCommand(name = 'snapshot'): Command {
  const snapshot = new Command(name).description('Save and restore snapshots of the datastore');
  for (const command of [saveCommand(), lsCommand(), verifyCommand(), restoreCommand(), pruneCommand()])
    snapshot.addCommand(command);
  return snapshot;
}

function saveCommand(): Command {
  return withPlace(online('save', 'Save the running datastore'))
    .argument('[file]', 'where to save it (a new name in the folder for snapshots)')
    .option('--name <prefix>', 'what a new name begins with', onDemand)
    .action(async (file: string | undefined, where: Where & PlaceFlags & { readonly name: string }) => {
      const { storeDir, snapshotDir } = await placeOf(where);
      const path = resolve(file ?? join(snapshotDir, snapshotName(where.name, hostname(), new Date())));
      const facts = await connected(where, async (client, isEtcd) => {
        const parts = await begun(client.snapshot());
        new SnapshotRecords(storeDir).add({ path, isScheduled: false });
        return await (isEtcd ? saveEtcdSnapshot(parts, path) : saveSnapshot(parts, path));
      });
      if (where.output === 'json') json({ path, ...facts });
      else print(`${path} (${mebibytes(facts.sizeBytes)}, sha256 ${facts.sha256})`);
    });
}

/** Resolves with the first part: where nothing can be had, nothing is made on the disk. */
async function begun<T>(parts: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    if (first.done === true) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
}

function lsCommand(): Command {
  return offline('ls', 'List the saved snapshots')
    .alias('list')
    .action(async (flags: PlaceFlags) => {
      const files = await listSnapshots((await placeOf(flags)).snapshotDir);
      const rows = files.map(({ name: file, sizeBytes, createdAt, path }) => [
        file,
        mebibytes(sizeBytes),
        age(Date.now() - Date.parse(createdAt)),
        path,
      ]);
      print(table([['NAME', 'SIZE', 'AGE', 'PATH'], ...rows]));
    });
}

function verifyCommand(): Command {
  return offline('verify', 'Verify a snapshot by its checksum')
    .argument('<snapshot>', 'its path, or its name as ls shows it')
    .action(async (pathOrName: string, flags: PlaceFlags) => {
      const path = await findSnapshot(pathOrName, (await placeOf(flags)).snapshotDir);
      const { sha256, sizeBytes } = await verifySnapshot(path);
      print(`${path} is sound (${mebibytes(sizeBytes)}, sha256 ${sha256})`);
    });
}

function restoreCommand(): Command {
  return offline('restore', 'Restore the datastore from a snapshot; kagent must be stopped')
    .argument('<snapshot>', 'its path, or its name as ls shows it')
    .option(
      '--bump-revision <number>',
      'how far revisions are raised, so that no client trusts what it has cached',
      count,
      1_000_000_000,
    )
    .action(async (pathOrName: string, flags: PlaceFlags & { readonly bumpRevision: number }) => {
      const { bumpRevision } = flags;
      const { storeDir, snapshotDir } = await placeOf(flags);
      const path = await findSnapshot(pathOrName, snapshotDir);
      const { revision, setAside } = await restoreDatastore(path, storeDir, { bumpRevision, now: new Date() });
      print(`${join(storeDir, storeFileName)} is restored, at revision ${revision}`);
      print(setAside === undefined ? 'there was no datastore before' : `what was there is kept as ${setAside}`);
    });
}

interface PruneFlags extends PlaceFlags {
  readonly name: string;
  readonly snapshotRetention: number;
}

function pruneCommand(): Command {
  return offline('prune', 'Remove all but the newest snapshots that kagent has saved here')
    .option('--name <prefix>', 'only those whose names begin with it', onDemand)
    .option('--snapshot-retention <number>', 'how many are kept', count, 5)
    .action(async (flags: PruneFlags) => {
      const { storeDir, snapshotDir } = await placeOf(flags);
      const records = new SnapshotRecords(storeDir);
      for (const { path } of await records.prune(isIn(snapshotDir, flags.name), flags.snapshotRetention))
        print(`removed ${path}`);
      for (const { path } of await records.unknown(snapshotDir, flags.name))
        process.stderr.write(`${path} stays: there is no record that kagent saved it here\n`);
    });
}
