/**
 * The power goes, not the process: whatever was not synced may be there, in part or not at all. What was acknowledged must be
 * there, whole; and of what was not, each Txn all or nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { decodeRecord, loadInspection } from '../../../../src/datastore/store/store.ts';
import { TestClient } from '../../../helpers/etcd-client.ts';
import { end } from '../../../helpers/etcd-servers.ts';
import { randomFrom } from '../../../helpers/random.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';
import { Disk, readRecord } from './disk.ts';
import type { Deed } from './disk.ts';

const serve = resolve(import.meta.dirname, '../../../helpers/datastore-serve.ts');
const cuts = 300;
const writers = 6;
const writesEach = 150;

interface Acknowledged {
  readonly atNs: bigint;
  readonly revision: number;
  readonly value: string;
}

/** Each write is a Txn of two keys, so that a half one would show. */
async function write(client: TestClient, writer: number, acknowledged: Acknowledged[]): Promise<void> {
  for (let count = 0; count < writesEach; count += 1) {
    const value = `${writer}.${count}.${'x'.repeat(count * 20)}`;
    const puts = ['a', 'b'].map((half) => ({ kind: 'put', key: `/${writer}/${half}`, value }) as const);
    const { revision } = await client.txn({ success: puts });
    acknowledged.push({ atNs: process.hrtime.bigint(), revision, value });
    if (writer === 0 && count % 50 === 49) await client.compact(revision - 20, true);
  }
}

/** @returns what the datastore did to its files, and what it acknowledged meanwhile */
async function record(dir: string): Promise<{ readonly deeds: Deed[]; readonly acknowledged: Acknowledged[] }> {
  const library = join(dir, 'record.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, join(import.meta.dirname, 'record.c'), '-ldl']);
  const data = join(dir, 'data');
  const log = join(dir, 'deeds');
  const address = `unix://${join(dir, 'store.sock')}`;
  const server = spawn(process.execPath, [serve, '--data-dir', data, '--listen', address], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, LD_PRELOAD: library, POWER_CUT_DIR: data, POWER_CUT_LOG: log },
  });
  const client = new TestClient(address);
  const acknowledged: Acknowledged[] = [];
  try {
    await eventually(() => client.currentRevision());
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(client, writer, acknowledged)));
  } finally {
    await client.close();
    await end(server, 'SIGKILL');
  }
  return { deeds: readRecord(log), acknowledged };
}

/** Every version by its revision: which values were written, under how many keys. */
function readStore(path: string): { readonly problem: string; readonly written: Map<number, string[]> } {
  const db = new Database(path);
  try {
    const written = new Map<number, string[]>();
    const rows = db.prepare<[], { record: Buffer }>('SELECT record FROM kv ORDER BY id').all();
    for (const { record: bytes } of rows) {
      const { modRevision, value } = decodeRecord(bytes);
      written.set(modRevision, [...(written.get(modRevision) ?? []), Buffer.from(value).toString()]);
    }
    const compacted = db.prepare<[], { value: number }>(`SELECT value FROM meta WHERE name = 'compact_revision'`).get();
    for (const revision of written.keys()) if (revision <= (compacted?.value ?? 0)) written.delete(revision);
    written.set(0, [String(compacted?.value ?? 0)]);
    return { problem: String(db.pragma('integrity_check', { simple: true })), written };
  } finally {
    db.close();
  }
}

/** What a start would refuse it for. */
async function problemsOf(path: string): Promise<string> {
  const { checkStore } = await loadInspection();
  const copy = `${path}.checked`;
  for (const end of ['', '-wal', '.acknowledged'])
    if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`);
  const problems = checkStore(copy).map(({ problem }) => problem ?? '');
  for (const end of ['', '-wal', '.acknowledged']) rmSync(`${copy}${end}`, { force: true });
  return problems.join('');
}

test(
  `no acknowledged write is lost by ${cuts} power cuts, and no Txn is half there`,
  { timeout: 300_000 },
  async () => {
    const dir = temporaryDir();
    const { deeds, acknowledged } = await record(dir);
    const begun = deeds.findIndex(({ atNs }) => atNs > (acknowledged[0]?.atNs ?? 0n));
    const seed = Date.now() % 1_000_000;
    const random = randomFrom(seed);
    const moments = Array.from({ length: cuts }, () => begun + Math.floor(random() * (deeds.length - begun))).toSorted(
      (a, b) => a - b,
    );
    const disk = new Disk();
    let applied = 0;
    const lost: string[] = [];
    for (const moment of moments) {
      for (; applied < moment; applied += 1) disk.apply(deeds[applied] as Deed);
      const cutAt = deeds[moment]?.atNs ?? 0n;
      const left = join(dir, 'left');
      mkdirSync(left);
      disk.cut(left, random);
      const unsound = await problemsOf(join(left, 'store.db'));
      const { problem, written } = readStore(join(left, 'store.db'));
      if (unsound !== '') lost.push(`deed ${moment}: ${unsound}`);
      const compacted = Number(written.get(0)?.[0]);
      if (problem !== 'ok') lost.push(`deed ${moment}: ${problem}`);
      for (const { atNs, revision, value } of acknowledged) {
        const values = revision > compacted ? written.get(revision) : [value, value];
        const isThere = values?.length === 2 && values.every((one) => one === value);
        if (atNs < cutAt && !isThere)
          lost.push(`deed ${moment}: revision ${revision} was acknowledged, and is ${values?.length ?? 0} of 2`);
      }
      for (const [revision, values] of written)
        if (revision > 0 && values.length !== 2) lost.push(`deed ${moment}: half of revision ${revision}`);
      rmSync(left, { recursive: true });
    }
    expect(lost.slice(0, 10), `seed ${seed}`).toEqual([]);
    expect(acknowledged).toHaveLength(writers * writesEach);
    expect(deeds.filter(({ kind }) => kind === 'sync').length).toBeGreaterThan(50);
  },
);
