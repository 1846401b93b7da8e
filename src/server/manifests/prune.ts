import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import { isConflict, isNotFound } from '../../kube/kube.ts';
import type { KubeClient } from '../../kube/kube.ts';
import type { Announcer } from './announce.ts';
import type { AppliedObject } from './apply.ts';
import { PruneError } from './errors.ts';
import type { FileState, Timing } from './types.ts';
import type { ManifestRecord, Records } from './records.ts';

/** What a pass has found. */
export interface Present {
  readonly present: ReadonlySet<string>;
  readonly skipped: ReadonlySet<string>;
  readonly states: ReadonlyMap<string, FileState>;
}

export interface Pruner {
  prune(
    found: Present,
    signal: AbortSignal,
  ): Promise<{ readonly isWaiting: boolean; readonly failures: ReadonlyMap<string, Error> }>;
}

/**
 * Removes objects that are in no file any more, the last applied first. It is careful, since what it does wrong cannot
 * be undone:
 * - only what was recorded: objects that say so themselves, and kagent's own;
 * - that very object: one of the same name that somebody made later has another uid;
 * - not at once: editors and copying tools empty or remove a file for a moment;
 * - nothing of a file that has no objects at all, or that is skipped;
 * - nothing while any file is not wholly applied: it might hold the same.
 */
export function createPruner(options: {
  readonly kube: KubeClient;
  readonly records: Records;
  readonly announcer: Announcer;
  readonly isPackaged: (file: string) => boolean;
  readonly timing: Pick<Timing, 'pruneAfterMs'>;
  readonly clock: Clock;
}): Pruner {
  const { kube, records, announcer, isPackaged, timing, clock } = options;
  let missingSince: ReadonlyMap<string, number> = new Map();

  /** What is done is noted once, at the end: a deletion that is tried twice does no harm. */
  const removeAll = async (file: string, objects: readonly AppliedObject[], signal: AbortSignal) => {
    const done = new Set<string>();
    const removed: string[] = [];
    try {
      for (const object of objects.toReversed()) {
        if (await remove(kube, object, signal)) removed.push(object.path);
        done.add(object.uid);
      }
    } finally {
      if (removed.length > 0) announcer.pruned(file, removed);
      await forget(file, done);
    }
  };

  const forget = async (file: string, uids: ReadonlySet<string>) => {
    const record = records.all().get(file);
    if (record !== undefined && uids.size > 0) {
      await records.set(file, { ...record, objects: record.objects.filter(({ uid }) => !uids.has(uid)) });
    }
  };

  return {
    async prune(found, signal) {
      const gone = goneFrom(records.all(), found, isPackaged);
      const nowMs = clock.monotonicMs();
      const all = gone.flatMap(({ objects }) => objects.map(({ uid }) => uid));
      missingSince = new Map(all.map((uid) => [uid, missingSince.get(uid) ?? nowMs]));
      const failures = new Map<string, Error>();
      let isWaiting = false;
      for (const { file, objects, movedAway } of gone) {
        const due = objects.filter(({ uid }) => nowMs - (missingSince.get(uid) ?? nowMs) >= timing.pruneAfterMs);
        if (due.length < objects.length) isWaiting = true;
        try {
          await removeAll(file, due, signal);
          await forget(file, movedAway);
          const isLeft = !found.present.has(file) && !found.skipped.has(file);
          if (isLeft && records.all().get(file)?.objects.length === 0) await records.delete(file);
        } catch (error) {
          signal.throwIfAborted();
          failures.set(file, error instanceof Error ? error : new Error(String(error)));
        }
      }
      return { isWaiting, failures };
    },
  };
}

/** @returns whether there was something to remove */
async function remove(kube: KubeClient, { path, uid }: AppliedObject, signal: AbortSignal): Promise<boolean> {
  try {
    await kube.delete(path, { uid }, signal);
    return true;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return false; // another by now
    signal.throwIfAborted();
    throw new PruneError(path, messageOf(error), { cause: error });
  }
}

interface Gone {
  readonly file: string;
  readonly objects: readonly AppliedObject[];
  /** Uids of those that another file has now; theirs is what counts. */
  readonly movedAway: ReadonlySet<string>;
}

function goneFrom(
  records: ReadonlyMap<string, ManifestRecord>,
  { present, skipped, states }: Present,
  isPackaged: (file: string) => boolean,
): readonly Gone[] {
  const isEachApplied = [...present].every((file) => states.has(file) && states.get(file)?.error === undefined);
  if (!isEachApplied) return [];
  const wanted = new Set([...states.values()].flatMap(({ uids }) => [...uids]));
  const mayGo = (file: string) => {
    if (skipped.has(file)) return false;
    if (present.has(file)) return states.get(file)?.count !== 0;
    return !isPackaged(file); // kagent's own comes back at the next start
  };
  return [...records].flatMap(([file, record]) => {
    if (!mayGo(file)) return [];
    const own = states.get(file)?.uids;
    const missing = record.objects.filter(({ uid }) => own?.has(uid) !== true);
    const isMoved = ({ uid }: AppliedObject) => wanted.has(uid);
    const movedAway = new Set(missing.filter(isMoved).map(({ uid }) => uid));
    return [{ file, objects: missing.filter((object) => !isMoved(object)), movedAway }];
  });
}
