/** The file of a store that nobody serves. */
import { metaChecksum } from './checksums.ts';
import type { VersionRow } from './checksums.ts';
import { openDatabase, randomId, structureProblem } from './database.ts';
import { modRevisionOf } from './record.ts';
import { checkedLeases, checkedVersions, lostIn, metaOf } from './sqlite.ts';

export interface UnservedFile {
  /** SQLite's own words; undefined: all is well. */
  integrityProblem(): string | undefined;
  /** What was acknowledged by whoever served it, and is not there. */
  lostProblem(): string | undefined;
  /** @throws {DamagedRowError} */
  versions(): Iterable<VersionRow>;
  /** @throws {DamagedRowError} */
  leaseIds(): ReadonlySet<bigint>;
  newestRevision(): number;
  /** It is another store from now on, which owes nobody what the one it is a copy of acknowledged; and its log is empty. */
  adopt(compactRevision: number | undefined): void;
  close(): void;
}

/** @throws {StoreLockedError} when a process serves it. @throws {StoreFormatError} @throws {StoreDamagedError} */
export function openUnserved(path: string, nativeBinding: string): UnservedFile {
  const db = openDatabase(path, nativeBinding);
  return {
    integrityProblem: () => structureProblem(db, 'integrity_check'),
    lostProblem: () => lostIn(db, path),
    versions: () => checkedVersions(db),
    leaseIds: () => {
      metaOf(db);
      return new Set(checkedLeases(db).map(({ id }) => id));
    },
    newestRevision: () => {
      const last = db.prepare<[], { record: Buffer }>('SELECT record FROM kv ORDER BY id DESC LIMIT 1').get();
      return Math.max(last === undefined ? 1 : modRevisionOf(last.record), metaOf(db).get('compact_revision') ?? 1);
    },
    adopt: (compactRevision) => {
      const write = db.prepare('UPDATE meta SET value = ?, checksum = ? WHERE name = ?');
      const set = (name: string, value: number): void => void write.run(value, metaChecksum(name, value), name);
      db.transaction(() => {
        set('file_id', randomId());
        if (compactRevision !== undefined) set('compact_revision', compactRevision);
      })();
      db.pragma('wal_checkpoint(TRUNCATE)'); // closing does so too, and does not say when it could not
    },
    close: () => db.close(),
  };
}
