import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { removeData } from '../../../../src/host/remove/data.ts';
import { claimOf, openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { hostAt } from '../../../../src/host/service/service.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function box() {
  const root = temporaryDir();
  const paths = pathsOf(join(root, 'data'));
  const config = join(root, 'etc/kagent');
  const write = (...files: readonly string[]) => {
    for (const file of files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), '');
    }
  };
  const customary = join(root, 'pods');
  return {
    paths,
    config,
    write,
    customary,
    claim: () => openUndoLog(paths.undoLog).record(...[paths.dataDir, config, customary].map(claimOf)),
    root,
    remove: (keepData = false, snapshotDir?: string) =>
      removeData({ paths, host: hostAt(root), undoLog: openUndoLog(paths.undoLog), keepData, snapshotDir }),
  };
}

/** Those of the test's own box: the customary folders of the machine it runs on are named, too. */
const ofThisBox = (sentences: readonly string[]) => sentences.filter((one) => one.includes('kagent-test-'));

test('what kagent filled goes; the undo log stays to the end', async () => {
  const { paths, config, write, customary, claim, remove } = box();
  claim();
  write('etc/kagent/config.yaml', 'etc/kagent/kagent.yaml', 'data/server/db', 'pods/log', 'run/kagent/x');
  expect(ofThisBox((await remove()).stayed)).toEqual([]);
  expect(existsSync(config)).toBe(false);
  expect(existsSync(customary)).toBe(false);
  expect(readdirSync(paths.dataDir)).toEqual(['journal.jsonl']);
});

test("the owner's settings of before stay, and folders that were there and empty stay as folders", async () => {
  const { config, write, customary, claim, remove } = box();
  write('etc/kagent/config.yaml', 'etc/kagent/kagent.yaml');
  mkdirSync(customary);
  claim();
  write('etc/kagent/registries.yaml', 'etc/kagent/kagent.env', 'pods/log');
  expect(ofThisBox((await remove()).stayed)).toEqual([`${join(config, 'config.yaml')}: it was there before kagent`]);
  expect(readdirSync(config)).toEqual(['config.yaml']); // an admin kubeconfig of an earlier kagent is none of the owner's
  expect(readdirSync(customary)).toEqual([]);
});

test('of a folder that somebody had filled, what has come since goes', async () => {
  const { write, customary, claim, remove } = box();
  write('pods/theirs');
  claim();
  write('pods/ours');
  expect(ofThisBox((await remove()).stayed)).toEqual([`${customary}: what was there before kagent`]);
  expect(readdirSync(customary)).toEqual(['theirs']);
});

test('a folder of which nobody knows what was in it before is not touched', async () => {
  const { write, customary, claim, remove, paths } = box();
  write('pods/theirs');
  claim();
  write('pods/ours');
  const undoLog = openUndoLog(paths.undoLog);
  undoLog.keepOnly(undoLog.entries().filter((made) => made.kind === 'claim' && made.path !== customary));
  expect(ofThisBox((await remove()).stayed)).toEqual([]);
  expect(readdirSync(customary)).toEqual(['ours', 'theirs']);
});

test('a folder that is a link is emptied where it leads to, and a link that leads nowhere stays as it was', async () => {
  const { write, customary, claim, remove, root } = box();
  mkdirSync(join(root, 'disk'));
  symlinkSync(join(root, 'disk'), customary);
  claim();
  write('pods/ours');
  expect((await remove()).failed).toEqual([]);
  expect(readdirSync(join(root, 'disk'))).toEqual([]);
  rmSync(join(root, 'disk'), { recursive: true });
  expect((await remove()).failed).toEqual([]);
  expect(readlinkSync(customary)).toBe(join(root, 'disk'));
});

test('a data dir in which its owner has files keeps them, with an undo log or without', async () => {
  const { paths, write, claim, remove } = box();
  write('data/photos/one', 'data/server/of-an-earlier-kagent');
  claim();
  write('data/server/db', 'data/later');
  expect(ofThisBox((await remove()).stayed)).toEqual([`${join(paths.dataDir, 'photos')}: it was there before kagent`]);
  expect(readdirSync(paths.dataDir).toSorted()).toEqual(['journal.jsonl', 'photos']);
  const unknown = box();
  unknown.write('data/photos/one', 'data/server/db', 'data/agent/x');
  await unknown.remove();
  expect(readdirSync(unknown.paths.dataDir)).toEqual(['photos']);
});

test('without an undo log only what has a name of ours goes', async () => {
  const { paths, config, write, remove } = box();
  write('etc/kagent/config.yaml', 'etc/kagent/kagent-agent.env', 'data/agent/x');
  expect(ofThisBox((await remove()).stayed)).toEqual([`${join(config, 'config.yaml')}: it was there before kagent`]);
  expect(readdirSync(config)).toEqual(['config.yaml']);
  expect(existsSync(paths.dataDir)).toBe(false);
  mkdirSync(paths.dataDir);
  await remove();
  expect(existsSync(paths.dataDir)).toBe(true); // empty: it is not known whose it is
});

test('data that is to be kept keeps what pods wrote beside it', async () => {
  const { paths, write, customary, claim, remove } = box();
  claim();
  write('data/server/db', 'pods/log');
  expect((await remove(true)).stayed).toContain(`${paths.dataDir}: as asked`);
  expect(existsSync(join(customary, 'log'))).toBe(true);
});

test("snapshots in a folder of the operator's own stay, and are named, since Secrets are in them", async () => {
  const { root, paths, write, claim, remove } = box();
  claim();
  write('backups/etcd-snapshot-s1-1795230000', 'data/server/db/snapshots/one');
  const { stayed } = await remove(false, join(root, 'backups'));
  expect(ofThisBox(stayed)).toEqual([expect.stringMatching(/backups: .* Secrets/)]);
  expect(readdirSync(join(root, 'backups'))).toHaveLength(1);
  expect(ofThisBox((await remove(false, join(paths.server.db, 'snapshots'))).stayed)).toEqual([]);
});
