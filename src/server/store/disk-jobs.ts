/**
 * @module
 * What takes the writer's thread longer than a commit may wait: done in short steps, with commits in between.
 */
import { closeSync, fdatasync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KagentError, messageOf } from '../../shared/errors.ts';
import { SnapshotFailedError } from './errors.ts';
import { VersionHasher } from './hash.ts';
import type { HashQuery } from './hash.ts';
import type { SqliteFile } from './sqlite.ts';
import type { DiskJob, FromWriter, JobResult } from './writer.ts';

const copySuffix = '.copy-';
/** What a copy leaves free on the disk, for what is written meanwhile. */
const spareBytes = 32 << 20;

/** Copies that were under way when a process was killed. */
export function removeCopies(path: string): void {
  const dir = dirname(path);
  const prefix = basename(path) + copySuffix;
  for (const name of readdirSync(dir)) {
    if (name.startsWith(prefix)) rmSync(join(dir, name), { recursive: true, force: true });
  }
}

/** Runs one job after the other, and says what came of each. */
export class DiskJobs {
  private readonly file: SqliteFile;
  private readonly path: string;
  private readonly send: (message: FromWriter) => void;
  private last: Promise<void> = Promise.resolve();
  private nextCopy = 1;

  constructor(file: SqliteFile, path: string, send: (message: FromWriter) => void) {
    this.file = file;
    this.path = path;
    this.send = send;
  }

  add(ticket: number, job: DiskJob): void {
    this.last = this.last
      .then(() => this.run(job))
      .then(
        (result) => this.send({ kind: 'done', ticket, result }),
        (error: unknown) => {
          const code = error instanceof KagentError ? error.code : 'STORE_FAILED';
          this.send({ kind: 'undone', ticket, code, message: messageOf(error) });
        },
      );
  }

  private async run(job: DiskJob): Promise<JobResult> {
    switch (job.kind) {
      case 'hash':
        return hashVersions(this.file, job.query);
      case 'snapshot':
        return this.snapshot();
      case 'defragment':
        await defragment(this.file);
        return undefined;
    }
  }

  /** A copy that fills the disk would take the room from writes. */
  private checkRoom(): void {
    const { bavail, bsize } = statfsSync(dirname(this.path));
    const freeBytes = bavail * bsize;
    if (freeBytes >= this.file.size().fileSizeBytes + spareBytes) return;
    throw new SnapshotFailedError(`the disk has ${Math.floor(freeBytes / 2 ** 20)} MiB left`);
  }

  private async snapshot(): Promise<string> {
    const path = `${this.path}${copySuffix}${this.nextCopy++}`;
    this.checkRoom();
    try {
      await copyStore(this.file, path);
      return path;
    } catch (error) {
      rmSync(path, { force: true });
      throw new SnapshotFailedError(messageOf(error));
    }
  }
}

/** Commits wait for one step at most. */
const stepMs = 2;

export async function hashVersions(file: SqliteFile, query: HashQuery): Promise<number> {
  const hasher = new VersionHasher(query);
  let lastId: number | undefined = 0;
  while (lastId !== undefined) {
    lastId = hashStep(file, hasher, lastId);
    await nextTurn();
  }
  return hasher.hash;
}

/** @returns the id to go on from; undefined when everything is hashed */
function hashStep(file: SqliteFile, hasher: VersionHasher, lastId: number): number | undefined {
  const deadline = performance.now() + stepMs;
  for (const version of file.versionsAfter(lastId)) {
    if (!hasher.add(version)) return undefined;
    if (performance.now() > deadline) return version.id;
  }
  return undefined;
}

const pagesPerCopy = 100;
const pagesPerFlush = 1000;

/** Copies the store to `path`, as it is when this resolves. */
export async function copyStore(file: SqliteFile, path: string): Promise<void> {
  const fd = openSync(path, 'wx', 0o600);
  const flusher = new Flusher(fd);
  try {
    await file.backup(path, (pagesLeft) => (flusher.allows(pagesLeft) ? pagesPerCopy : 0));
  } finally {
    await flusher.idle();
    closeSync(fd);
  }
}

/** Has the copy written to disk by another thread as it grows: SQLite syncs it at the end, and commits would wait for that. */
class Flusher {
  private readonly fd: number;
  private unflushedPages = 0;
  private flushing: Promise<void> | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Whether more pages may be copied now; asked before each step. */
  allows(pagesLeft: number): boolean {
    const isLast = pagesLeft <= pagesPerCopy;
    const mustFlush = this.unflushedPages >= (isLast ? 1 : pagesPerFlush);
    if (mustFlush && this.flushing === undefined) this.flush();
    if (this.flushing !== undefined && (isLast || mustFlush)) return false;
    this.unflushedPages += pagesPerCopy;
    return true;
  }

  async idle(): Promise<void> {
    await this.flushing;
  }

  private flush(): void {
    this.unflushedPages = 0;
    this.flushing = new Promise((resolve) => {
      // A disk that cannot write tells SQLite too.
      fdatasync(this.fd, () => {
        this.flushing = undefined;
        resolve();
      });
    });
  }
}

/** Moves what lies at the end of the file into its holes and cuts it off. */
export async function defragment(file: SqliteFile): Promise<void> {
  let pages = 32;
  for (;;) {
    const start = performance.now();
    const isDone = file.vacuumStep(pages);
    const tookMs = performance.now() - start;
    if (isDone) break;
    if (tookMs < stepMs / 2) pages *= 2;
    else if (tookMs > stepMs) pages = Math.max(1, Math.floor(pages / 2));
    await nextTurn();
  }
  file.truncate();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
