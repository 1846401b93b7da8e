/**
 * @module
 * Opens the file; the only place that loads the SQLite driver.
 * Knows: pragmas, tables, how a file of an earlier format becomes one of ours.
 */
import { chmodSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { LeaseRow } from './batch.ts';
import { DamagedRowError, leaseChecksum, metaChecksum, versionChecksum } from './checksums.ts';
import { StoreFailedError, StoreFormatError, StoreLockedError } from './errors.ts';
import { failureIn } from './failure.ts';
import type { LeaseId } from './shapes.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';

/**
 * Grows when an older kagent could not read the file any more.
 *
 *   1 ──▶ 2  `sub`: a version's place in its revision
 *   2 ──▶ 3  `checksum`: of each row; an older kagent would leave it out
 */
const formatVersion = 3;

const tables = `
  CREATE TABLE kv (
    id INTEGER PRIMARY KEY, record BLOB NOT NULL, sub INTEGER NOT NULL, checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE lease (
    id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL, expires_at INTEGER NOT NULL, is_kept_alive INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Larger than SQLite's default: a checkpoint writes fewer, longer pieces, and holds up fewer commits. Old files keep theirs. */
export const newPageBytes = 8 << 10;
/** The log is moved into the file when it has so many pages: about 4 MiB. */
export const checkpointPages = 500;
/** What is left of the log after a burst, at most. */
const maxIdleLogBytes = 16 << 20;

export type OpenDatabase = Database.Database;

/** @throws {StoreLockedError} @throws {StoreFormatError} @throws {StoreDamagedError} @throws {StoreDiskError} */
export function openDatabase(path: string, nativeBinding: string | undefined): OpenDatabase {
  let db: OpenDatabase | undefined;
  try {
    // No waiting for locks: the only other holder there can be is another kagent.
    db = new Database(path, { timeout: 0, ...driver(nativeBinding) });
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
    if (found === 0) createTables(db);
    else if (found < formatVersion) upgrade(db, found);
    return db;
  } catch (error) {
    db?.close();
    if (systemCode(error) === 'SQLITE_BUSY') throw new StoreLockedError(path, { cause: error });
    throw failureIn(path, error) ?? error;
  }
}

/** A whole file that nobody serves, to be read: it stays as it is. */
export function openCopy(path: string, nativeBinding: string | undefined): OpenDatabase {
  const db = new Database(path, { timeout: 0, fileMustExist: true, ...driver(nativeBinding) });
  db.pragma('locking_mode = EXCLUSIVE'); // or it gets an index beside it
  return db;
}

function driver(nativeBinding: string | undefined): Pick<Database.Options, 'nativeBinding'> {
  return nativeBinding === undefined ? {} : { nativeBinding };
}

/** Each page, each reference between pages, what is free. @returns SQLite's own words; undefined: all is well */
export function structureProblem(db: OpenDatabase, how: 'quick_check' | 'integrity_check'): string | undefined {
  const words = String(db.pragma(`${how}(10)`, { simple: true }));
  return words === 'ok' ? undefined : words.replaceAll('\n', '; ');
}

/** @throws {DamagedRowError} @throws {UnreadablePageError} */
export function checkStructure(db: OpenDatabase): void {
  const problem = structureProblem(db, 'quick_check');
  if (problem === undefined) return;
  // A page that the disk did not give may be sound, and is no reason to restore a snapshot.
  const primaryCode = Number(/unable to get the page\. error code=(\d+)/.exec(problem)?.[1]) & 0xff;
  throw primaryCode === ioErrorCode ? new UnreadablePageError(problem) : new DamagedRowError(problem);
}

/** SQLITE_IOERR */
const ioErrorCode = 10;

class UnreadablePageError extends Error {
  readonly code = 'SQLITE_IOERR_READ';
}

function createTables(db: OpenDatabase): void {
  db.transaction(() => {
    db.exec(tables);
    const insert = db.prepare('INSERT INTO meta (name, value, checksum) VALUES (?, ?, ?)');
    const start = { cluster_id: randomId(), member_id: randomId(), file_id: randomId(), compact_revision: -1 };
    for (const [name, value] of Object.entries(start)) insert.run(name, value, metaChecksum(name, value));
    db.pragma(`user_version = ${formatVersion}`);
  }).exclusive();
}

export function randomId(): number {
  return 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
}

/** In parts, each of which an older kagent can still read: the log need not hold the whole file. */
function upgrade(db: OpenDatabase, found: number): void {
  checkStructure(db); // what is damaged must not get a checksum that says it is sound
  for (const [table, column] of [...(found === 1 ? [['kv', 'sub']] : []), ...withChecksum]) {
    if (!hasColumn(db, table, column)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0`);
  }
  addChecksums(db);
  db.transaction(() => {
    db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run('file_id', randomId());
    addSmallChecksums(db);
    db.pragma(`user_version = ${formatVersion}`);
  }).exclusive();
}

const withChecksum = [
  ['kv', 'checksum'],
  ['lease', 'checksum'],
  ['meta', 'checksum'],
];

function hasColumn(db: OpenDatabase, table = '', column = ''): boolean {
  const columns = db.pragma(`table_info(${table})`) as readonly { readonly name: string }[];
  return columns.some(({ name }) => name === column);
}

const rowsAtOnce = 1000;

function addChecksums(db: OpenDatabase): void {
  db.function('version_checksum', (id, sub, record) => versionChecksum(Number(id), Number(sub), record as Buffer));
  const next = db.prepare<[number], { last: number | null }>(
    `SELECT max(id) AS last FROM (SELECT id FROM kv WHERE id > ? ORDER BY id LIMIT ${rowsAtOnce})`,
  );
  const update = db.prepare(
    'UPDATE kv SET checksum = version_checksum(id, sub, record) WHERE id > ? AND id <= ? AND checksum = 0',
  );
  for (let from = 0; ;) {
    const last = next.get(from)?.last ?? undefined;
    if (last === undefined) return;
    update.run(from, last);
    from = last;
  }
}

function addSmallChecksums(db: OpenDatabase): void {
  const lease = db.prepare('UPDATE lease SET checksum = ? WHERE id = ?');
  for (const row of leaseRows(db)) lease.run(leaseChecksum(row), row.id);
  const meta = db.prepare('UPDATE meta SET checksum = ? WHERE name = ?');
  for (const { name, value } of db.prepare<[], MetaColumns>('SELECT name, value FROM meta').all())
    meta.run(metaChecksum(name, value), name);
}

export interface MetaColumns {
  readonly name: string;
  readonly value: number;
  readonly checksum: number;
}

interface LeaseColumns {
  readonly id: bigint;
  readonly ttl_seconds: bigint;
  readonly expires_at: bigint;
  readonly is_kept_alive: bigint;
  readonly checksum: bigint;
}

export function leaseRows(db: OpenDatabase): readonly (LeaseRow & { readonly checksum: number })[] {
  return db
    .prepare<[], LeaseColumns>('SELECT id, ttl_seconds, expires_at, is_kept_alive, checksum FROM lease')
    .safeIntegers()
    .all()
    .map((row) => ({
      id: row.id as LeaseId,
      ttlSeconds: Number(row.ttl_seconds),
      expiresAt: Number(row.expires_at),
      isKeptAlive: row.is_kept_alive === 1n,
      checksum: Number(row.checksum),
    }));
}

/** Nobody but us writes the file, so a table that is not as we made it was made so by the disk. */
export function prepared<T>(prepare: () => T): T {
  try {
    return prepare();
  } catch (error) {
    if (systemCode(error) === 'SQLITE_ERROR') throw new DamagedRowError(messageOf(error));
    throw error;
  }
}
