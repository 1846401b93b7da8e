/**
 * Which snapshots this kagent has made, so that it removes no other: a folder may be shared with other nodes, and a person
 * may name a file as kagent does. One small file for each, beside the datastore, so that two who save do not meet.
 */
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { isDiskError, systemCode } from '../../shared/errors.ts';
import { makeFolder, readText, writeFileAtomicSync, namesIn } from '../../shared/files/files.ts';
import { listSnapshots, snapshotsAt } from './snapshots.ts';
import type { SnapshotFile } from './snapshots.ts';

const SnapshotRecord = z.object({ path: z.string(), isScheduled: z.boolean() });
export type SnapshotRecord = Readonly<z.infer<typeof SnapshotRecord>>;

/** Of the time before records: those that were asked for, as their names were made. */
const onDemandName = /^on-demand-.+-\d{10}$/;

export class SnapshotRecords {
  readonly #dir: string;

  /** @param storeDir where the datastore's file is */
  constructor(storeDir: string) {
    this.#dir = join(storeDir, 'snapshot-records');
  }

  /** Said before the file is there: one without a record would never go. */
  add(record: SnapshotRecord): void {
    writeFileAtomicSync(this.#fileOf(record.path), JSON.stringify(record), 0o600);
  }

  /** Those that are still there, oldest first. */
  async list(which: (record: SnapshotRecord) => boolean): Promise<readonly SnapshotFile[]> {
    const records = this.#records().filter(which);
    return await snapshotsAt(records.map(({ path }) => path));
  }

  /** Of those, removes all but the newest `keep`. @returns what was removed */
  async prune(which: (record: SnapshotRecord) => boolean, keep: number): Promise<readonly SnapshotFile[]> {
    const files = await this.list(which);
    const old = files.slice(0, Math.max(files.length - keep, 0));
    for (const { path } of old) await rm(path, { force: true });
    for (const record of this.#records().filter(which)) {
      if (!existsSync(record.path)) rmSync(this.#fileOf(record.path), { force: true });
    }
    return old;
  }

  /**
   * Once: those that an earlier kagent has left in its own folder, by their whole names. In a folder elsewhere they stay:
   * another node of this name may have saved them.
   */
  async adopt(options: { readonly dir: string; readonly baseName: string; readonly nodeName: string }): Promise<void> {
    const marker = join(this.#dir, '.adopted');
    if (existsSync(marker)) return;
    makeFolder(this.#dir, 0o700);
    const prefix = `${options.baseName}-${options.nodeName}-`;
    const isOwnFolder = dirname(options.dir) === dirname(this.#dir);
    for (const { name, path } of isOwnFolder ? await listSnapshots(options.dir) : []) {
      const isScheduled = name.startsWith(prefix) && /^\d{10}$/.test(name.slice(prefix.length));
      if (isScheduled || onDemandName.test(name)) this.add({ path, isScheduled });
    }
    writeFileAtomicSync(marker, '', 0o600);
  }

  /** Files in `dir` whose names begin so, and of which there is no record. */
  async unknown(dir: string, prefix: string): Promise<readonly SnapshotFile[]> {
    const known = new Set(this.#records().map(({ path }) => path));
    return (await listSnapshots(dir)).filter(({ name, path }) => name.startsWith(prefix) && !known.has(path));
  }

  #records(): readonly SnapshotRecord[] {
    const names = namesIn(this.#dir).filter((name) => name.endsWith('.json'));
    return names.flatMap((name) => {
      const path = join(this.#dir, name);
      const parsed = SnapshotRecord.safeParse(jsonIn(path));
      return parsed.success ? [parsed.data] : [];
    });
  }

  #fileOf(path: string): string {
    return join(this.#dir, `${createHash('sha256').update(path).digest('hex')}.json`);
  }
}

/** In this folder, with a name that begins so. */
export function isIn(dir: string, prefix: string): (record: SnapshotRecord) => boolean {
  return ({ path }) => dirname(path) === dir && basename(path).startsWith(prefix);
}

/** undefined: damaged, or no file; then of a snapshot that stays. @throws what the disk says when it cannot read it */
function jsonIn(path: string): unknown {
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    const isNoFile = systemCode(error) !== undefined && !isDiskError(error);
    if (isNoFile || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
