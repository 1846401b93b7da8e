/** What kagent does to files below its data dir: each as one step that can be done again and again, and what must be true afterwards. */
import { deepStrictEqual, ok } from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join as joinPath } from 'node:path';
import { join as joinCluster } from '../../../src/agent/membership/membership.ts';
import { removeTree } from '../../../src/host/remove/tree.ts';
import {
  checkDatastore,
  restoreDatastore,
  saveSnapshot,
  SnapshotRecords,
} from '../../../src/datastore/backup/backup.ts';
import { openPki } from '../../../src/server/pki/pki.ts';
import { decodeRecord, verifySnapshot } from '../../../src/datastore/store/store.ts';
import type { Revision, Store } from '../../../src/datastore/store/store.ts';
import { openBundle, unpack } from '../../../src/host/assets/assets.ts';
import { readBytes, writeFileAtomicSync } from '../../../src/shared/files/files.ts';
import { openUndoLog } from '../../../src/host/undo-log/undo-log.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { Secret } from '../../../src/shared/secret.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import type { FakeFile } from '../../helpers/bundle.ts';
import { openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../helpers/store.ts';

export interface Operation {
  readonly name: string;
  /** Whatever it reads is checked, so that a wrong bit must be found. */
  readonly isChecked?: boolean;
  /** Makes what is there before; not on the disk that fails yet. */
  prepare(dir: string): Promise<void>;
  run(dir: string): Promise<void>;
  /** @throws when something is wrong on disk. `isDone`: `run` has said that it is done */
  check(dir: string, isDone: boolean): Promise<void>;
}

const signal = new AbortController().signal;

/** @param work for what is on another disk */
export async function operations(
  work: string,
  server: { readonly url: string; readonly token: string },
): Promise<readonly Operation[]> {
  mkdirSync(work, { recursive: true });
  return [
    replacedFile,
    undoLog,
    ...(await unpacking(work)),
    serverKeys,
    joining(server),
    ...(await restoring(work)),
    prunedSnapshots,
    ownStore,
    uninstalled,
  ];
}

const replacedFile: Operation = {
  name: 'a file is replaced',
  async prepare(dir) {
    writeFileAtomicSync(joinPath(dir, 'file'), old, 0o600);
  },
  async run(dir) {
    writeFileAtomicSync(joinPath(dir, 'file'), fresh, 0o600);
  },
  async check(dir, isDone) {
    const content = readFileSync(joinPath(dir, 'file'), 'utf8');
    ok(content === fresh || (!isDone && content === old), `half a file of ${content.length} bytes`);
    deepStrictEqual(
      readdirSync(dir).filter((name) => name !== 'file' && !name.endsWith('.tmp')),
      [],
    );
  },
};
const old = 'old'.repeat(5000);
const fresh = 'fresh'.repeat(5000);

/** What is noted there is undone when kagent goes: a note that says it is there has to be. */
const undoLog: Operation = {
  name: 'notes of what was changed on the box',
  async prepare(dir) {
    openUndoLog(joinPath(dir, 'undo-log')).record({ kind: 'file', path: '/etc/first' });
  },
  async run(dir) {
    const opened = openUndoLog(joinPath(dir, 'undo-log'));
    opened.record({ kind: 'file', path: '/etc/second', before: 'x'.repeat(3000) });
    opened.keepOnly(opened.entries().filter(({ kind }) => kind === 'file'));
  },
  async check(dir, isDone) {
    const paths = openUndoLog(joinPath(dir, 'undo-log'))
      .entries()
      .map((made) => ('path' in made ? made.path : ''));
    ok(paths.includes('/etc/first'), 'the first note is lost');
    if (isDone) deepStrictEqual(paths, ['/etc/first', '/etc/second']);
  },
};

async function unpacking(work: string): Promise<readonly Operation[]> {
  const files = (version: string): readonly FakeFile[] => [
    { path: 'bin/hyperkube', content: Buffer.alloc(20_000, `hyperkube ${version} `) },
    { path: 'cni/bridge', content: `bridge ${version}` },
  ];
  const links = [{ path: 'bin/kubelet', target: 'hyperkube' }];
  const bundle = async (version: string) =>
    openBundle(await fakeBundle(work, files(version), { links, name: `bundle-${version}` }));
  const [before, after] = [await bundle('1'), await bundle('2')];
  const isWhole = (dir: string, version: string): boolean =>
    files(version).every(({ path, content }) => readFileSync(joinPath(dir, path)).equals(Buffer.from(content)));
  const check = (dir: string, isDone: boolean, known: Readonly<Record<string, string>>): void => {
    const data = joinPath(dir, 'data');
    const names = existsSync(data) ? readdirSync(data).filter((name) => name in known) : [];
    for (const name of names) ok(isWhole(joinPath(data, name), known[name] ?? ''), `${name} is half unpacked`);
    if (isDone) deepStrictEqual(readlinkSync(joinPath(data, 'current')), after.identity);
    else if (before.identity in known)
      ok(isWhole(joinPath(data, 'current'), known[readlinkSync(joinPath(data, 'current'))] ?? ''));
  };
  const run = async (dir: string) => void (await unpack({ bundle: after, dataDir: dir, signal }));
  /** What could be used has to be whole at that moment, whatever the disk does to it later. */
  const runUsing = async (dir: string) => {
    const onUsable = ({ path }: { readonly path: string }) => {
      const wanted = files('2').find((file) => file.path === path)?.content ?? '';
      ok(readBytes(joinPath(dir, 'data/current', path)).equals(Buffer.from(wanted)), `${path} is not whole`);
    };
    await unpack({ bundle: after, dataDir: dir, signal, early: { first: [], onUsable, settled: Promise.resolve() } });
  };
  return [
    {
      name: 'components are unpacked',
      isChecked: true,
      prepare: async () => {},
      run,
      check: async (dir, isDone) => check(dir, isDone, { [after.identity]: '2' }),
    },
    {
      name: 'components are used while they are unpacked',
      prepare: async () => {},
      run: runUsing,
      check: async (dir, isDone) => check(dir, isDone, { [after.identity]: '2' }),
    },
    {
      name: 'components of a newer version are unpacked',
      isChecked: true,
      prepare: async (dir) => void (await unpack({ bundle: before, dataDir: dir, signal })),
      run,
      check: async (dir, isDone) => check(dir, isDone, { [before.identity]: '1', [after.identity]: '2' }),
    },
  ];
}

const serverKeys: Operation = {
  name: "a server's authorities and keys",
  prepare: async () => {},
  run: async (dir) => void (await openPki(joinPath(dir, 'tls'))),
  async check(dir, isDone) {
    const found = existsSync(joinPath(dir, 'tls')) ? readdirSync(joinPath(dir, 'tls')) : [];
    for (const name of found.filter((one) => one.endsWith('.crt'))) {
      const key = readFileSync(joinPath(dir, 'tls', name.replace(/crt$/, 'key')), 'utf8');
      ok(key.trimEnd().endsWith('-----'), `${name} has half a key`);
      ok(new X509Certificate(readFileSync(joinPath(dir, 'tls', name))).subject !== '');
    }
    if (isDone) ok(found.length > 3);
  },
};

function joining({ url, token }: { readonly url: string; readonly token: string }): Operation {
  const join = (dir: string, secret: Secret | undefined) =>
    joinCluster(
      {
        url,
        token: secret,
        nodeName: `box-${basename(dir)}`,
        addresses: [`10.1.${Number(basename(dir)) >> 8}.${Number(basename(dir)) & 255}`], // each its own
        paths: pathsOf(dir),
        version: '1',
        kubernetesVersion: 'v1.37.1',
        log: silentLog,
      },
      signal,
    );
  return {
    name: 'a node joins',
    prepare: async () => {},
    run: async (dir) => void (await join(dir, new Secret(token))),
    /** What it has must be enough to start with when the server is away, which it is for whoever has no token. */
    async check(dir, isDone) {
      const { files } = await join(dir, isDone ? undefined : new Secret(token));
      for (const { certPath, keyPath } of Object.values(files.pairs)) {
        ok(new X509Certificate(readFileSync(certPath)).subject !== '');
        ok(readFileSync(keyPath, 'utf8').trimEnd().endsWith('-----'));
      }
    },
  };
}

const keys = 30;
const bulk = 'x'.repeat(3000);

async function restoring(work: string): Promise<readonly Operation[]> {
  const source = joinPath(work, 'source');
  mkdirSync(source);
  const store = await openQuietly(source);
  await fill(store, 'saved');
  const { chunks } = await store.snapshot();
  const raw = joinPath(work, 'raw');
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  await store.close();
  const content = Buffer.concat(parts);
  writeFileSync(raw, Buffer.concat([content, createHash('sha256').update(content).digest()]));

  const run = async (dir: string): Promise<void> => {
    const { setAside } = await restoreDatastore(raw, dir, { bumpRevision: 1000, now: new Date() });
    ok(setAside === undefined || existsSync(setAside));
  };
  return [
    {
      name: 'a snapshot is saved',
      isChecked: true,
      prepare: async () => {},
      run: async (dir) => void (await saveSnapshot(createReadStream(raw), joinPath(dir, 'snapshots/one'))),
      async check(dir, isDone) {
        const path = joinPath(dir, 'snapshots/one');
        if (isDone || existsSync(path)) await verifySnapshot(path);
      },
    },
    {
      name: 'a snapshot is restored where there is no datastore',
      isChecked: true,
      prepare: async () => {},
      run,
      async check(dir, isDone) {
        if (isDone || existsSync(joinPath(dir, 'store.db'))) deepStrictEqual(await valuesIn(dir), 'saved');
      },
    },
    {
      name: 'a snapshot is restored in place of a datastore',
      isChecked: true,
      async prepare(dir) {
        const there = await openQuietly(dir);
        await fill(there, 'there before');
        await there.close();
      },
      run,
      async check(dir, isDone) {
        const found = await valuesIn(dir);
        ok(found === 'saved' || (!isDone && found === 'there before'), found);
        for (const name of readdirSync(dir)) ok(!/\.replaced-.*Z$/.test(name) || name.length > 0);
      },
    },
    {
      name: 'a datastore is checked',
      isChecked: true,
      async prepare(dir) {
        const there = await openQuietly(dir);
        await fill(there, 'sound');
        await there.close();
      },
      async run(dir) {
        const { isSound, findings } = await checkDatastore(joinPath(dir, 'store.db'));
        ok(isSound, `${joinPath(dir, 'store.db')}: ${JSON.stringify(findings)}`);
      },
      check: async (dir) => deepStrictEqual(await valuesIn(dir), 'sound'),
    },
  ];
}

/** Whoever opens it hears of what is wrong with it. */
function openQuietly(dir: string): Promise<Store> {
  return openTestStore(dir, { onFailed: () => {} });
}

async function fill(store: Store, value: string): Promise<void> {
  await Promise.all(Array.from({ length: keys }, (_, key) => store.txn(txnOf(put(`/k/${key}`, `${value} ${bulk}`)))));
}

/** What all keys of a store have as their value. */
async function valuesIn(dir: string): Promise<string> {
  const store = await openQuietly(dir);
  try {
    const { records } = await store.range(rangeQuery(rangeOf('/k/', '/k0')));
    const values = new Set(records.map((record) => Buffer.from(decodeRecord(record).value).toString().split(' x')[0]));
    return records.length === keys && values.size === 1
      ? String([...values][0])
      : `${records.length} keys: ${[...values].join()}`;
  } finally {
    await store.close();
  }
}

const prunedSnapshots: Operation = {
  name: 'old snapshots are pruned',
  async prepare(dir) {
    mkdirSync(joinPath(dir, 'snapshots'));
    for (const name of ['1', '2', '3']) {
      writeFileSync(joinPath(dir, 'snapshots', name), name);
      utimesSync(joinPath(dir, 'snapshots', name), Number(name), Number(name));
    }
  },
  async run(dir) {
    const records = new SnapshotRecords(dir);
    for (const name of ['1', '2', '3', '4']) records.add({ path: joinPath(dir, 'snapshots', name), isScheduled: true });
    writeFileAtomicSync(joinPath(dir, 'snapshots/4'), '4', 0o600);
    await records.prune(({ isScheduled }) => isScheduled, 2);
  },
  async check(dir, isDone) {
    const names = readdirSync(joinPath(dir, 'snapshots')).filter((name) => !name.endsWith('.tmp'));
    ok(names.length >= 2, `of the snapshots only ${names.join()} are left`);
    for (const name of names) deepStrictEqual(readFileSync(joinPath(dir, 'snapshots', name), 'utf8'), name);
    if (isDone) deepStrictEqual(names.toSorted(), ['3', '4']);
  },
};

/** The store alone, from its start to its end; the load under many clients is another test's. */
const acknowledged = new Map<string, string[]>();
const ownStore: Operation = {
  name: 'a datastore starts, is written, compacted, saved, defragmented and stops',
  isChecked: true,
  async prepare(dir) {
    const store = await openQuietly(dir);
    for (let round = 0; round < 3; round += 1) await fill(store, `before ${round}`);
    await store.close();
  },
  async run(dir) {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => {}); // whoever waits hears of it
    const told: string[] = [];
    acknowledged.set(basename(dir), told);
    const store = await openTestStore(dir, { historyBudgetBytes: 400, onFailed: reject });
    try {
      await Promise.race([failed, work(store, told)]);
      await Promise.race([failed, store.close()]);
    } catch (error) {
      await store.close().catch(() => {});
      throw error;
    }
  },
  async check(dir, isDone) {
    const told = acknowledged.get(basename(dir)) ?? [];
    if (isDone) ok(told.length >= 20);
    const store = await openQuietly(dir);
    try {
      const found = new Map<string, string>();
      const { records } = await store.range(rangeQuery(rangeOf('/', '0')));
      for (const { key, value } of records.map(decodeRecord)) found.set(String(key), Buffer.from(value).toString());
      for (const key of told) deepStrictEqual(found.get(key), `${key} ${bulk}`, `${key} was acknowledged`);
      for (let key = 0; key < keys; key += 1) deepStrictEqual(found.get(`/k/${key}`), `before 2 ${bulk}`);
    } finally {
      await store.close();
    }
  },
};

async function work(store: Store, told: string[]): Promise<void> {
  const write = async (key: string): Promise<void> => {
    await store.txn(txnOf(put(key, `${key} ${bulk}`)));
    told.push(key);
  };
  for (let count = 0; count < 10; count += 1) await write(`/w/${count}`);
  if ((await store.stats()).compactRevision < 31) {
    const past = await store.range(rangeQuery(rangeOf('/k/', '/k0'), { revision: 31 as Revision }));
    for (const record of past.records)
      deepStrictEqual(Buffer.from(decodeRecord(record).value).toString(), `before 0 ${bulk}`);
  }
  await store.hashKv(0 as Revision);
  await store.leases.grant(0n as never, 600);
  await store.compact(store.revision, true);
  const { chunks, sizeBytes } = await store.snapshot();
  let size = 0;
  for await (const chunk of chunks) size += chunk.length;
  deepStrictEqual(size, sizeBytes);
  await store.defragment();
  for (let count = 10; count < 20; count += 1) await write(`/w/${count}`);
}

const uninstalled: Operation = {
  name: 'a data dir is removed',
  async prepare(dir) {
    for (const name of ['server/tls/a.key', 'server/db/store.db', 'agent/identity.json']) {
      mkdirSync(joinPath(dir, 'data', name, '..'), { recursive: true });
      writeFileSync(joinPath(dir, 'data', name), name);
    }
  },
  async run(dir) {
    const { stayed, failed } = await removeTree(joinPath(dir, 'data'));
    deepStrictEqual(stayed, []);
    deepStrictEqual(failed, [], failed.join());
  },
  async check(dir, isDone) {
    if (isDone) ok(!existsSync(joinPath(dir, 'data')));
  },
};
