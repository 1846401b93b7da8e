/** Writes the rows of one commit, and knows what all versions amount to afterwards. */
import type { Statement } from 'better-sqlite3';
import type { Acknowledged } from './acknowledged.ts';
import { alarmName } from './alarm.ts';
import type { LeaseRow, WriteTarget } from './batch.ts';
import { Census, leaseChecksum, metaChecksum, versionChecksum } from './checksums.ts';
import type { OpenDatabase } from './database.ts';
import { modRevisionOf } from './record.ts';
import type { Alarm, LeaseId, Revision } from './shapes.ts';

interface Counts {
  /** Of all versions that are there. */
  readonly census: Census;
  readonly acknowledged: Acknowledged;
}

export class RowWriter implements WriteTarget {
  readonly #db: OpenDatabase;
  readonly #insertVersion: Statement<[number, Uint8Array, number, number]>;
  readonly #deleteVersion: Statement<[number], { readonly checksum: number }>;
  readonly #insertLease: Statement<[bigint, number, number, number, number]>;
  readonly #deleteLease: Statement<[bigint]>;
  readonly #insertMeta: Statement<[string, number, number]>;
  readonly #deleteMeta: Statement<[string]>;
  #counts: Counts;
  #before: Counts | undefined;
  /** This commit does other things than add versions. */
  #isMixed = false;
  #lastId = 0;
  // A revision is never split over two commits, so counting starts anew with each process.
  #lastRevision: Revision | undefined;
  #sub = 0;

  constructor(db: OpenDatabase) {
    this.#db = db;
    this.#insertVersion = db.prepare('INSERT INTO kv (id, record, sub, checksum) VALUES (?, ?, ?, ?)');
    this.#deleteVersion = db.prepare('DELETE FROM kv WHERE id = ? RETURNING checksum');
    this.#insertLease = db.prepare(
      'INSERT OR REPLACE INTO lease (id, ttl_seconds, expires_at, is_kept_alive, checksum) VALUES (?, ?, ?, ?, ?)',
    );
    this.#deleteLease = db.prepare('DELETE FROM lease WHERE id = ?');
    this.#insertMeta = db.prepare('INSERT OR REPLACE INTO meta (name, value, checksum) VALUES (?, ?, ?)');
    this.#deleteMeta = db.prepare('DELETE FROM meta WHERE name = ?');
    const meta = db.prepare<[string], { value: number }>('SELECT value FROM meta WHERE name = ?');
    const fileId = meta.get('file_id')?.value ?? 0;
    const commits = meta.get('commits')?.value ?? 0;
    this.#counts = { census: new Census(), acknowledged: { fileId, commits, lastId: 0 } };
  }

  get census(): Census {
    return this.#counts.census;
  }

  /** As of the last commit. */
  get acknowledged(): Acknowledged {
    return this.#counts.acknowledged;
  }

  begin(): void {
    this.#db.exec('BEGIN IMMEDIATE');
    const { census, acknowledged } = this.#counts;
    this.#before = { census: census.copy(), acknowledged };
    this.#isMixed = false;
    this.#lastId = 0;
  }

  commit(): void {
    const { census, acknowledged } = this.#counts;
    const commits = acknowledged.commits + (this.#isMixed ? 1 : 0);
    if (this.#isMixed) this.#setMeta('commits', commits);
    this.#db.exec('COMMIT');
    const lastId = this.#lastId > 0 || this.#isMixed ? this.#lastId : acknowledged.lastId;
    this.#counts = { census, acknowledged: { ...acknowledged, commits, lastId } };
    this.#before = undefined;
  }

  /** Of what has begun, if it has. */
  rollback(): void {
    if (this.#before !== undefined) this.#counts = this.#before;
    this.#before = undefined;
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
  }

  putVersion(id: number, record: Uint8Array): void {
    const modRevision = modRevisionOf(record);
    this.#sub = modRevision === this.#lastRevision ? this.#sub + 1 : 0;
    this.#lastRevision = modRevision;
    const checksum = versionChecksum(id, this.#sub, record);
    this.#insertVersion.run(id, record, this.#sub, checksum);
    this.census.add(checksum);
    this.#lastId = id;
  }

  dropVersion(id: number): void {
    this.#isMixed = true;
    const dropped = this.#deleteVersion.get(id);
    if (dropped !== undefined) this.census.remove(dropped.checksum);
    if (id === this.#lastId) this.#lastId = 0; // added and compacted in one commit
  }

  saveLease(lease: LeaseRow): void {
    this.#isMixed = true;
    const row = { ...lease, expiresAt: Math.round(lease.expiresAt) };
    const { id, ttlSeconds, expiresAt, isKeptAlive } = row;
    this.#insertLease.run(id, ttlSeconds, expiresAt, isKeptAlive ? 1 : 0, leaseChecksum(row));
  }

  dropLease(id: LeaseId): void {
    this.#isMixed = true;
    this.#deleteLease.run(id);
  }

  setCompactRevision(revision: Revision): void {
    this.#setMeta('compact_revision', revision);
  }

  saveAlarm(alarm: Alarm, isRaised: boolean): void {
    if (isRaised) this.#setMeta(alarmName(alarm), 1);
    else this.#deleteMeta.run(alarmName(alarm));
    this.#isMixed = true;
  }

  #setMeta(name: string, value: number): void {
    this.#isMixed = true;
    this.#insertMeta.run(name, value, metaChecksum(name, value));
  }
}
