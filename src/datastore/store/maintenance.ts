/**
 * @module
 * What is done with the file as a whole: its hash, copies of it, and giving back what is free in it.
 */
import { CompactedError, FutureRevisionError } from './errors.ts';
import type { KvHash, Revision, Snapshot, StoreStats } from './shapes.ts';
import { readSnapshot } from './snapshot.ts';
import type { SpaceGuard } from './space.ts';
import type { VersionTable } from './version-table.ts';
import type { Writer } from './writer.ts';

export interface MaintenanceParts {
  /** Which revisions can be read now. */
  readonly at: { readonly revision: Revision; readonly compactRevision: Revision };
  readonly versions: VersionTable;
  readonly writer: Writer;
  readonly space: SpaceGuard;
}

const tolerableHoleBytes = 8 << 20;

export class Maintenance {
  readonly #parts: MaintenanceParts;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  async stats(counts: Pick<StoreStats, 'watches' | 'leases'>): Promise<StoreStats> {
    const { at, versions, writer, space } = this.#parts;
    const { revision, compactRevision } = at;
    return {
      revision,
      compactRevision,
      keys: versions.index.size,
      versions: versions.count(),
      ...counts,
      quotaBytes: space.quotaBytes,
      ...(await writer.size()),
    };
  }

  async hashKv(asked: Revision): Promise<KvHash> {
    const { at, versions, writer } = this.#parts;
    for (;;) {
      writer.checkJobs(); // before the index is walked
      const { revision, compactRevision } = at;
      if (asked > 0 && asked < compactRevision) throw new CompactedError(asked, compactRevision);
      if (asked > revision) throw new FutureRevisionError(asked, revision);
      const hashRevision = asked > 0 ? asked : revision;
      const currentIds = versions.currentIds(hashRevision, compactRevision);
      const hash = await writer.hash({ revision: hashRevision, compactRevision, currentIds });
      // A compaction meanwhile may have dropped what belongs to the hash.
      if (at.compactRevision === compactRevision) return { hash, hashRevision, compactRevision };
    }
  }

  async snapshot(): Promise<Snapshot> {
    return readSnapshot(await this.#parts.writer.snapshot());
  }

  async defragment(): Promise<void> {
    await this.#parts.writer.defragment();
    await this.#parts.space.measure();
  }

  /** After a compaction: a file that is mostly holes is made smaller. */
  async shrink(): Promise<void> {
    const { writer, space } = this.#parts;
    try {
      const { fileSizeBytes, usedSizeBytes } = await writer.size();
      const holeBytes = fileSizeBytes - usedSizeBytes;
      if (holeBytes > tolerableHoleBytes && holeBytes > usedSizeBytes) await writer.defragment();
      await space.measure();
    } catch {
      // A full disk or the end: the next compaction tries again.
    }
  }
}
