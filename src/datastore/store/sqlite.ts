/**
 * @module
 * The file on disk, as the thread that serves it uses it.
 * Knows: rows, commits, when the log is moved into the file. Leaves to others: tables (database.ts), what a record says
 * (record.ts), when to commit (writer.ts).
 *
 * One table holds every version in the order of writing: no index beside it, because the index is in memory.
 */
import type { Statement } from 'better-sqlite3';
import { AcknowledgedFile, keepDamagedLog, missingIn, readAcknowledged } from './acknowledged.ts';
import { alarmOfName } from './alarm.ts';
import { BatchBuilder, replayBatch } from './batch.ts';
import type { LeaseRow } from './batch.ts';
import { checkRow, checkVersion, leaseChecksum, metaChecksum } from './checksums.ts';
import type { Census, VersionRow } from './checksums.ts';
import { checkpointPages, checkStructure, leaseRows, openDatabase, openCopy, prepared } from './database.ts';
import type { MetaColumns, OpenDatabase } from './database.ts';
import { LostWritesError } from './errors.ts';
import { failureIn, isFull } from './failure.ts';
import { decodeRecord } from './record.ts';
import { RowWriter } from './row-writer.ts';
import type { Alarm, Revision } from './shapes.ts';
import { MalformedMessageError } from '../../shared/protobuf/protobuf.ts';

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
  readonly #db: OpenDatabase;
  readonly #path: string;
  readonly #nativeBinding: string | undefined;
  readonly #rows: RowWriter;
  readonly #acknowledged: AcknowledgedFile;
  readonly #logState: Statement<[], { readonly log: number }>;

  /**
   * `nativeBinding`: the driver's addon, where it is not in node_modules.
   * @throws {StoreDamagedError} @throws {LostWritesError} @throws {StoreDiskError}
   */
  constructor(path: string, nativeBinding: string | undefined) {
    this.#path = path;
    this.#nativeBinding = nativeBinding;
    this.#db = openDatabase(path, nativeBinding);
    try {
      checkStructure(this.#db);
      this.#db.pragma('wal_autocheckpoint = 0'); // SQLite keeps to itself what goes wrong then
      this.#rows = prepared(() => new RowWriter(this.#db));
      this.#logState = this.#db.prepare('PRAGMA wal_checkpoint(NOOP)'); // asked after each commit
      checkNothingLost(this.#db, path);
      this.#acknowledged = new AcknowledgedFile(path);
    } catch (error) {
      this.#db.close();
      throw failureIn(path, error) ?? error;
    }
  }

  state(): StoredState {
    const meta = metaOf(this.#db);
    return {
      clusterId: meta.get('cluster_id') ?? 0,
      memberId: meta.get('member_id') ?? 0,
      compactRevision: (meta.get('compact_revision') ?? -1) as Revision,
      leases: checkedLeases(this.#db),
      alarms: [...meta.keys()].flatMap((name) => alarmOfName(name) ?? []),
    };
  }

  /**
   * Every version in the order of writing, as batches of about a megabyte. Once, before anything is written.
   * @throws {MalformedMessageError} @throws {DamagedRowError}
   */
  *versions(): Generator<Uint8Array<ArrayBuffer>> {
    const chunk = new BatchBuilder();
    let revision = 0;
    for (const row of checkedVersions(this.#db)) {
      const { key, modRevision } = decodeRecord(row.record);
      if (key.length === 0 || modRevision < revision)
        throw new MalformedMessageError(`version ${row.id} is out of order`);
      revision = modRevision;
      this.#rows.census.add(row.checksum);
      chunk.putVersion(row.id, row.record);
      if (chunk.sizeBytes > 1 << 20) yield chunk.take();
    }
    if (!chunk.isEmpty) yield chunk.take();
  }

  /**
   * Before the first answer. What the log holds may be in the kernel's memory alone, after a sync that failed: it is taken
   * for true from here on, and so has to be made so.
   */
  settleLog(): void {
    if (this.#logPages() > 0) this.truncate();
    this.#acknowledged.begin(this.#rows.acknowledged);
  }

  /** All of the batches or nothing, and on disk when this returns. @throws {StoreDiskError} for all but a full disk */
  commit(batches: readonly Uint8Array[]): 'done' | 'full' {
    try {
      this.#rows.begin();
      for (const batch of batches) replayBatch(batch, this.#rows);
      this.#rows.commit();
    } catch (error) {
      this.#rows.rollback();
      if (isFull(this.#path, error)) return 'full';
      throw failureIn(`${this.#path}-wal`, error) ?? error;
    }
    this.#acknowledged.write(this.#rows.acknowledged);
    return 'done';
  }

  /** Moves the log into the file once it is long; on a full disk it grows on. */
  checkpoint(): void {
    if (this.#logPages() < checkpointPages) return;
    this.#unlessFull(() => this.#db.pragma('wal_checkpoint(PASSIVE)'));
  }

  /** As `truncate`, on a disk that may still be full. */
  giveBack(): void {
    this.#unlessFull(() => this.truncate());
  }

  /** What a full disk does not let be done stays to be done. */
  #unlessFull(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      if (!isFull(this.#path, error)) throw error;
    }
  }

  #logPages(): number {
    return this.#logState.get()?.log ?? 0;
  }

  /** The records of these versions, without those that are gone. @throws {DamagedRowError} */
  read(ids: readonly number[]): Uint8Array<ArrayBuffer> {
    const statement = this.#db.prepare<[number], VersionRow>(`SELECT ${versionColumns} FROM kv WHERE id = ?`);
    const found = new BatchBuilder();
    for (const id of ids) {
      const row = statement.get(id);
      if (row === undefined) continue;
      checkVersion(row);
      found.putVersion(row.id, row.record);
    }
    return found.take();
  }

  /** In the order of writing. Nothing else may run before the last one is taken or the loop is left. @throws {DamagedRowError} */
  versionsAfter(id: number): Iterable<VersionRow> {
    return checkedAfter(this.#db, id);
  }

  /**
   * Asks `pagesToCopy` before each step; commits continue in between, and are in the copy.
   * @returns what the copy has to hold
   */
  async backup(path: string, pagesToCopy: (pagesLeft: number) => number): Promise<Census> {
    await this.#db.backup(path, { progress: ({ remainingPages }) => pagesToCopy(remainingPages) });
    return this.#rows.census.copy();
  }

  openCopy(path: string): CopyFile {
    return new CopyFile(openCopy(path, this.#nativeBinding));
  }

  /** Frees so many pages at the end of the file. @returns true when none are left to free */
  vacuumStep(pages: number): boolean {
    this.#db.exec(`PRAGMA incremental_vacuum(${pages})`);
    return this.#db.pragma('freelist_count', { simple: true }) === 0;
  }

  /** A freed page leaves the file when the log has been moved into it. */
  truncate(): void {
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }

  size(): FileSize {
    const pages = Number(this.#db.pragma('page_count', { simple: true }));
    const free = Number(this.#db.pragma('freelist_count', { simple: true }));
    const pageSize = Number(this.#db.pragma('page_size', { simple: true }));
    return { fileSizeBytes: pages * pageSize, usedSizeBytes: (pages - free) * pageSize };
  }

  /** Room inside the file, for what comes. */
  holeBytes(): number {
    const { fileSizeBytes, usedSizeBytes } = this.size();
    return fileSizeBytes - usedSizeBytes;
  }

  close(): void {
    this.#acknowledged.close();
    this.#db.close();
  }
}

/** A copy of a store's file, to look at. */
export class CopyFile {
  readonly #db: OpenDatabase;

  constructor(db: OpenDatabase) {
    this.#db = db;
  }

  /** @throws {DamagedRowError} */
  versionsAfter(id: number): Iterable<VersionRow> {
    return checkedAfter(this.#db, id);
  }

  close(): void {
    this.#db.close();
  }
}

const versionColumns = 'id, sub, record, checksum';

/** @throws {DamagedRowError} */
export function* checkedVersions(db: OpenDatabase): Generator<VersionRow> {
  const statement = prepared(() => db.prepare<[], VersionRow>(`SELECT ${versionColumns} FROM kv ORDER BY id`));
  for (const row of statement.iterate()) {
    checkVersion(row);
    yield row;
  }
}

/** @throws {DamagedRowError} */
export function checkedLeases(db: OpenDatabase): readonly LeaseRow[] {
  const leases = leaseRows(db);
  for (const row of leases) checkRow(`lease ${row.id.toString(16)}`, row.checksum, leaseChecksum(row));
  return leases;
}

function* checkedAfter(db: OpenDatabase, id: number): Generator<VersionRow> {
  const statement = db.prepare<[number], VersionRow>(`SELECT ${versionColumns} FROM kv WHERE id > ? ORDER BY id`);
  for (const row of statement.iterate(id)) {
    checkVersion(row);
    yield row;
  }
}

/** @throws {DamagedRowError} */
export function metaOf(db: OpenDatabase): ReadonlyMap<string, number> {
  const rows = db.prepare<[], MetaColumns>('SELECT name, value, checksum FROM meta').all();
  for (const { name, value, checksum } of rows) checkRow(name, checksum, metaChecksum(name, value));
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** @returns in words; undefined: everything that was acknowledged is there */
export function lostIn(db: OpenDatabase, path: string): string | undefined {
  const last = db.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM kv').get();
  const meta = metaOf(db);
  const found = { fileId: meta.get('file_id') ?? 0, commits: meta.get('commits') ?? 0, lastId: last?.id ?? 0 };
  return missingIn(found, readAcknowledged(path));
}

function checkNothingLost(db: OpenDatabase, path: string): void {
  const lost = prepared(() => lostIn(db, path));
  if (lost !== undefined) throw new LostWritesError(path, lost, keepDamagedLog(path));
}
