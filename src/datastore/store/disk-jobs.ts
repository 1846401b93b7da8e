/**
 * @module
 * What takes the writer's thread longer than a commit may wait: done in short steps, with commits in between.
 */
import { closeSync, fdatasync, openSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { removeIfPossibleSync } from '../../shared/files/files.ts';
import { Census } from './checksums.ts';
import type { VersionRow } from './checksums.ts';
import { forwardable, SnapshotFailedError } from './errors.ts';
import { failureIn, isDamage } from './failure.ts';
import { VersionHasher } from './hash.ts';
import type { HashQuery } from './hash.ts';
import type { CopyFile, SqliteFile } from './sqlite.ts';
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

export interface DiskJobsHost {
  /** Of the store. */
  readonly path: string;
  send(message: FromWriter): void;
  /** The file is damaged, which is more than a job that cannot be done. */
  onFailed(error: unknown): void;
}

/** Runs one job after the other, and says what came of each. */
export class DiskJobs {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #host: DiskJobsHost;
  #last: Promise<void> = Promise.resolve();
  #nextCopy = 1;

  constructor(file: SqliteFile, host: DiskJobsHost) {
    this.#file = file;
    this.#path = host.path;
    this.#host = host;
  }

  add(ticket: number, job: DiskJob): void {
    this.#last = this.#last
      .then(() => this.#run(job))
      .then(
        (result) => this.#host.send({ kind: 'done', ticket, result }),
        (failure: unknown) => {
          if (isDamage(failure)) {
            this.#host.onFailed(failure);
            return;
          }
          const failed = forwardable(failureIn(this.#path, failure) ?? failure);
          this.#host.send({ kind: 'undone', ticket, failure: failed });
        },
      );
  }

  async #run(job: DiskJob): Promise<JobResult> {
    switch (job.kind) {
      case 'hash':
        return hashVersions(this.#file, job.query);
      case 'snapshot':
        return this.#snapshot();
      case 'defragment':
        await defragment(this.#file);
        return undefined;
    }
  }

  /** A copy that fills the disk would take the room from writes. */
  #checkRoom(): void {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    const freeBytes = bavail * bsize;
    if (freeBytes >= this.#file.size().fileSizeBytes + spareBytes) return;
    throw new SnapshotFailedError(this.#path, `the disk has ${Math.floor(freeBytes / 2 ** 20)} MiB left`);
  }

  /** A copy is of the disk's bytes, whatever the disk has made of them meanwhile. @throws {DamagedRowError} when that is in the store too */
  async #checkCopy(path: string, expected: Census): Promise<void> {
    const copy = this.#file.openCopy(path);
    const found = await countVersions(copy)
      .catch((error: unknown) => error)
      .finally(() => copy.close());
    if (found instanceof Census && found.equals(expected)) return;
    await countVersions(this.#file).catch((cause: unknown) => {
      throw new StoreUnsoundError('the store is damaged, not the copy', { cause });
    });
    throw found instanceof Error ? found : new Error('the copy is not what was copied');
  }

  async #snapshot(): Promise<string> {
    const path = `${this.#path}${copySuffix}${this.#nextCopy++}`;
    this.#checkRoom();
    try {
      const expected = await copyStore(this.#file, path);
      await this.#checkCopy(path, expected);
      return path;
    } catch (error) {
      removeIfPossibleSync(path); // what stays is removed at the next start
      if (error instanceof StoreUnsoundError) throw error.cause;
      throw new SnapshotFailedError(path, wordsOf(error));
    }
  }
}

/** What was copied is damaged. */
class StoreUnsoundError extends Error {}

function wordsOf(error: unknown): string {
  const code = systemCode(error);
  return code?.startsWith('SQLITE_') === true ? `${messageOf(error)}, ${code}` : messageOf(error);
}

/** Commits wait for one step at most. */
const stepMs = 2;

/** @returns what the versions of a file amount to. @throws {DamagedRowError} */
async function countVersions(file: VersionFile): Promise<Census> {
  const census = new Census();
  await eachVersion(file, ({ checksum }) => {
    census.add(checksum);
    return true;
  });
  return census;
}

export async function hashVersions(file: VersionFile, query: HashQuery): Promise<number> {
  const hasher = new VersionHasher(query);
  await eachVersion(file, (version) => hasher.add(version));
  return hasher.hash;
}

type VersionFile = Pick<CopyFile, 'versionsAfter'>;
/** @returns false when no later one is wanted */
type Visit = (version: VersionRow) => boolean;

async function eachVersion(file: VersionFile, visit: Visit): Promise<void> {
  for (let lastId: number | undefined = 0; lastId !== undefined; await nextTurn()) {
    lastId = visitSome(file, lastId, visit);
  }
}

/** @returns the id to continue from; undefined when there is no more to visit */
function visitSome(file: VersionFile, lastId: number, visit: Visit): number | undefined {
  const deadline = performance.now() + stepMs;
  for (const version of file.versionsAfter(lastId)) {
    if (!visit(version)) return undefined;
    if (performance.now() > deadline) return version.id;
  }
  return undefined;
}

const pagesPerCopy = 100;
const pagesPerFlush = 1000;

/** Copies the store to `path`, as it is when this resolves. @returns what the copy has to hold */
export async function copyStore(file: SqliteFile, path: string): Promise<Census> {
  const fd = openSync(path, 'wx', 0o600);
  const flusher = new Flusher(fd);
  try {
    const copied = await file.backup(path, (pagesLeft) => (flusher.allows(pagesLeft) ? pagesPerCopy : 0));
    flusher.throwFailure();
    return copied;
  } finally {
    await flusher.idle();
    closeSync(fd);
  }
}

/** Has the copy written to disk by another thread as it grows: SQLite syncs it at the end, and commits would wait for that. */
class Flusher {
  readonly #fd: number;
  #unflushedPages = 0;
  #flushing: Promise<void> | undefined;
  /** A disk that says once that it could not write need not say it again. */
  #failure: Error | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whether more pages may be copied now; asked before each step. @throws what the disk has said */
  allows(pagesLeft: number): boolean {
    this.throwFailure();
    const isLast = pagesLeft <= pagesPerCopy;
    const mustFlush = this.#unflushedPages >= (isLast ? 1 : pagesPerFlush);
    if (mustFlush && this.#flushing === undefined) this.#flush();
    if (this.#flushing !== undefined && (isLast || mustFlush)) return false;
    this.#unflushedPages += pagesPerCopy;
    return true;
  }

  /** What the disk has said, if it could not write. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async idle(): Promise<void> {
    await this.#flushing;
  }

  #flush(): void {
    this.#unflushedPages = 0;
    this.#flushing = new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        this.#failure ??= error ?? undefined;
        this.#flushing = undefined;
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
