/**
 * @module
 * The file on disk; the only place that names the SQLite driver.
 * Knows: tables, pragmas, commits. Leaves to others: what a record says (record.ts), when to commit (writer.ts).
 *
 * One table holds every version in the order of writing: no index beside it, because the index is in memory.
 */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { alarmName, alarmOfName } from './alarm.ts';
import { BatchBuilder, replayBatch } from './batch.ts';
import type { LeaseRow, WriteTarget } from './batch.ts';
import {
  MalformedMessageError,
  StoreDamagedError,
  StoreFailedError,
  StoreFormatError,
  StoreLockedError,
} from './errors.ts';
import type { StoredVersion } from './hash.ts';
import { decodeRecord, modRevisionOf } from './record.ts';
import type { Alarm, LeaseId, Revision } from './shapes.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';

/** Grows when an older kagent could not read the file any more. */
const formatVersion = 2;

const schema = `
  CREATE TABLE IF NOT EXISTS kv (id INTEGER PRIMARY KEY, record BLOB NOT NULL, sub INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL, expires_at INTEGER NOT NULL, is_kept_alive INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

export interface StoredState {
  readonly clusterId: number;
  readonly memberId: number;
  readonly compactRevision: Revision;
  readonly leases: readonly LeaseRow[];
  readonly alarms: readonly Alarm[];
}

export interface FileSize {
  readonly fileSizeBytes: number;
  readonly usedSizeBytes: number;
}

export class SqliteFile {
  private readonly db: Database.Database;
  private readonly target: WriteTarget;

  /** `nativeBinding`: the driver's addon, where it is not in node_modules. */
  constructor(path: string, nativeBinding: string | undefined) {
    this.db = openDatabase(path, nativeBinding);
    this.target = prepareWrites(this.db);
  }

  state(): StoredState {
    const meta = new Map(
      this.db
        .prepare<[], { name: string; value: number }>('SELECT name, value FROM meta')
        .all()
        .map(({ name, value }) => [name, value]),
    );
    const leases = this.db
      .prepare<[], LeaseColumns>('SELECT id, ttl_seconds, expires_at, is_kept_alive FROM lease')
      .safeIntegers()
      .all()
      .map((row) => ({
        id: row.id as LeaseId,
        ttlSeconds: Number(row.ttl_seconds),
        expiresAt: Number(row.expires_at),
        isKeptAlive: row.is_kept_alive === 1n,
      }));
    return {
      clusterId: meta.get('cluster_id') ?? 0,
      memberId: meta.get('member_id') ?? 0,
      compactRevision: (meta.get('compact_revision') ?? -1) as Revision,
      leases,
      alarms: [...meta.keys()].flatMap((name) => alarmOfName(name) ?? []),
    };
  }

  /** Every version in the order of writing, as batches of about a megabyte. @throws {MalformedMessageError} */
  *versions(): Generator<Uint8Array<ArrayBuffer>> {
    const chunk = new BatchBuilder();
    let revision = 0;
    for (const row of this.db.prepare<[], VersionColumns>('SELECT id, record FROM kv ORDER BY id').iterate()) {
      const { key, modRevision } = decodeRecord(row.record);
      if (key.length === 0 || modRevision < revision)
        throw new MalformedMessageError(`version ${row.id} is out of order`);
      revision = modRevision;
      chunk.putVersion(row.id, row.record);
      if (chunk.sizeBytes > 1 << 20) yield chunk.take();
    }
    if (!chunk.isEmpty) yield chunk.take();
  }

  /** All of the batches or nothing, and on disk when this returns. @throws {StoreFailedError} for all but a full disk */
  commit(batches: readonly Uint8Array[]): 'done' | 'full' {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      for (const batch of batches) replayBatch(batch, this.target);
      this.db.exec('COMMIT');
      return 'done';
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      if (systemCode(error) === 'SQLITE_FULL') return 'full';
      throw new StoreFailedError(`a commit failed: ${messageOf(error)}`, { cause: error });
    }
  }

  /** The records of these versions, without those that are gone. */
  read(ids: readonly number[]): Uint8Array<ArrayBuffer> {
    const statement = this.db.prepare<[number], VersionColumns>('SELECT id, record FROM kv WHERE id = ?');
    const found = new BatchBuilder();
    for (const id of ids) {
      const row = statement.get(id);
      if (row !== undefined) found.putVersion(row.id, row.record);
    }
    return found.take();
  }

  /** In the order of writing. Nothing else may run before the last one is taken or the loop is left. */
  versionsAfter(id: number): Iterable<StoredVersion> {
    const statement = this.db.prepare<[number], StoredVersion>(
      'SELECT id, sub, record FROM kv WHERE id > ? ORDER BY id',
    );
    return statement.iterate(id);
  }

  /** Asks `pagesToCopy` before each step; commits go on in between, and are in the copy. */
  async backup(path: string, pagesToCopy: (pagesLeft: number) => number): Promise<void> {
    await this.db.backup(path, { progress: ({ remainingPages }) => pagesToCopy(remainingPages) });
  }

  /** Frees so many pages at the end of the file. @returns true when none are left to free */
  vacuumStep(pages: number): boolean {
    this.db.exec(`PRAGMA incremental_vacuum(${pages})`);
    return this.db.pragma('freelist_count', { simple: true }) === 0;
  }

  /** A freed page leaves the file when the log has been moved into it. */
  truncate(): void {
    this.db.pragma('wal_checkpoint(TRUNCATE)');
  }

  size(): FileSize {
    const pages = Number(this.db.pragma('page_count', { simple: true }));
    const free = Number(this.db.pragma('freelist_count', { simple: true }));
    const pageSize = Number(this.db.pragma('page_size', { simple: true }));
    return { fileSizeBytes: pages * pageSize, usedSizeBytes: (pages - free) * pageSize };
  }

  /** Room inside the file, for what comes. */
  holeBytes(): number {
    const { fileSizeBytes, usedSizeBytes } = this.size();
    return fileSizeBytes - usedSizeBytes;
  }

  close(): void {
    this.db.close();
  }
}

/** The file of a store that nobody serves. */
export interface UnservedFile {
  /** SQLite's own words; undefined: all is well. */
  integrityProblem(): string | undefined;
  versions(): Iterable<{ readonly id: number; readonly record: Uint8Array }>;
  leaseIds(): ReadonlySet<bigint>;
  newestRevision(): number;
  setCompactRevision(revision: number): void;
  close(): void;
}

/** @throws {StoreLockedError} when a process serves it. @throws {StoreFormatError} */
export function openUnserved(path: string, nativeBinding: string): UnservedFile {
  const db = openDatabase(path, nativeBinding);
  const versions = () => db.prepare<[], VersionColumns>('SELECT id, record FROM kv ORDER BY id').iterate();
  const meta = db.prepare<[], { value: number }>(`SELECT value FROM meta WHERE name = 'compact_revision'`);
  return {
    integrityProblem: () => {
      const words = String(db.pragma('integrity_check(10)', { simple: true }));
      return words === 'ok' ? undefined : words.replaceAll('\n', '; ');
    },
    versions,
    leaseIds: () => {
      const rows = db.prepare<[], { id: bigint }>('SELECT id FROM lease').safeIntegers().all();
      return new Set(rows.map(({ id }) => id));
    },
    newestRevision: () => {
      const last = db.prepare<[], VersionColumns>('SELECT id, record FROM kv ORDER BY id DESC LIMIT 1').get();
      return Math.max(last === undefined ? 1 : modRevisionOf(last.record), meta.get()?.value ?? 1);
    },
    setCompactRevision: (revision) =>
      void db.prepare(`UPDATE meta SET value = ? WHERE name = 'compact_revision'`).run(revision),
    close: () => db.close(),
  };
}

interface VersionColumns {
  readonly id: number;
  readonly record: Buffer;
}

interface LeaseColumns {
  readonly id: bigint;
  readonly ttl_seconds: bigint;
  readonly expires_at: bigint;
  readonly is_kept_alive: bigint;
}

/** Larger than SQLite's default: a checkpoint writes fewer, longer pieces, and holds up fewer commits. Old files keep theirs. */
const newPageBytes = 8 << 10;
/** The log is moved into the file when it has so many pages: about 4 MiB. */
const checkpointPages = 500;
/** What is left of the log after a burst, at most. */
const maxIdleLogBytes = 16 << 20;

function openDatabase(path: string, nativeBinding: string | undefined): Database.Database {
  // No waiting for locks: the only other holder there can be is another kagent.
  const db = new Database(path, { timeout: 0, ...(nativeBinding === undefined ? {} : { nativeBinding }) });
  try {
    chmodSync(path, 0o600); // it holds Secrets; SQLite gives the same mode to the log
    db.pragma('locking_mode = EXCLUSIVE'); // before anything is read: or the log gets an index that others can see
    // These two are said before the first table exists, and are a write each time they are said.
    if (db.pragma('page_count', { simple: true }) === 0) {
      db.pragma(`page_size = ${newPageBytes}`);
      db.pragma('auto_vacuum = INCREMENTAL');
    }
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL'); // the driver's default for WAL loses acknowledged writes at a power cut
    db.pragma(`wal_autocheckpoint = ${checkpointPages}`);
    db.pragma(`journal_size_limit = ${maxIdleLogBytes}`);
    db.pragma('cache_size = -2000');
    if (db.pragma('synchronous', { simple: true }) !== 2) throw new StoreFailedError('SQLite refuses synchronous=FULL');
    const found = Number(db.pragma('user_version', { simple: true }));
    if (found > formatVersion) throw new StoreFormatError(path, found, formatVersion);
    if (found < formatVersion) createTables(db, found);
    return db;
  } catch (error) {
    db.close();
    if (systemCode(error) === 'SQLITE_BUSY') throw new StoreLockedError(path, { cause: error });
    throw damageIn(path, error) ?? error;
  }
}

const damageCodes = /^SQLITE_(?:CORRUPT|NOTADB)/;

/** @returns undefined where the error says nothing of damage */
export function damageIn(path: string, error: unknown): StoreDamagedError | undefined {
  const isDamage = damageCodes.test(systemCode(error) ?? '') || error instanceof MalformedMessageError;
  return isDamage
    ? new StoreDamagedError(path, messageOf(error), { snapshot: newestSnapshot(path), cause: error })
    : undefined;
}

/** Where `kagent datastore snapshot save` puts them. */
function newestSnapshot(path: string): string | undefined {
  const dir = join(dirname(path), 'snapshots');
  try {
    const names = readdirSync(dir).filter((name) => !name.endsWith('.part'));
    const files = names.flatMap((name) => {
      const stat = statSync(join(dir, name), { throwIfNoEntry: false });
      return stat?.isFile() === true ? [{ path: join(dir, name), modifiedMs: stat.mtimeMs }] : [];
    });
    return files.toSorted((a, b) => b.modifiedMs - a.modifiedMs)[0]?.path;
  } catch {
    return undefined; // no such folder; that the store is damaged is what is to be said
  }
}

function createTables(db: Database.Database, found: number): void {
  db.transaction(() => {
    db.exec(schema);
    if (found === 1) db.exec('ALTER TABLE kv ADD COLUMN sub INTEGER NOT NULL DEFAULT 0');
    const insert = db.prepare('INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)');
    insert.run('cluster_id', randomId());
    insert.run('member_id', randomId());
    insert.run('compact_revision', -1);
    db.pragma(`user_version = ${formatVersion}`);
  }).exclusive();
}

function randomId(): number {
  return 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
}

function prepareWrites(db: Database.Database): WriteTarget {
  const putVersion = db.prepare('INSERT INTO kv (id, record, sub) VALUES (?, ?, ?)');
  const dropVersion = db.prepare('DELETE FROM kv WHERE id = ?');
  const saveLease = db.prepare('INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)');
  const dropLease = db.prepare('DELETE FROM lease WHERE id = ?');
  const setCompactRevision = db.prepare(`UPDATE meta SET value = ? WHERE name = 'compact_revision'`);
  // A revision is never split over two commits, so counting starts anew with each process.
  let lastRevision: Revision | undefined;
  let sub = 0;
  const raiseAlarm = db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, 1)');
  const clearAlarm = db.prepare('DELETE FROM meta WHERE name = ?');
  return {
    putVersion: (id, record) => {
      const modRevision = modRevisionOf(record);
      sub = modRevision === lastRevision ? sub + 1 : 0;
      lastRevision = modRevision;
      putVersion.run(id, record, sub);
    },
    dropVersion: (id) => void dropVersion.run(id),
    saveLease: ({ id, ttlSeconds, expiresAt, isKeptAlive }) =>
      void saveLease.run(id, ttlSeconds, Math.round(expiresAt), isKeptAlive ? 1 : 0),
    dropLease: (id) => void dropLease.run(id),
    setCompactRevision: (revision) => void setCompactRevision.run(revision),
    saveAlarm: (alarm, isRaised) => void (isRaised ? raiseAlarm : clearAlarm).run(alarmName(alarm)),
  };
}
