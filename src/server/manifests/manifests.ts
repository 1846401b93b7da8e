/**
 * @module
 * What is applied to the cluster from files: `server/manifests/*.yaml`, kagent's own among them.
 * Knows: server-side apply, following the folder, what goes with its file. Leaves to others:
 * speaking to kube-apiserver (control-plane/), keeping small texts (shared/key-value).
 *
 *   a file changes ─▶ settles ─▶ parsed ─▶ applied ─▶ recorded
 *   a file, or an object of it, goes ─▶ still gone after a while ─▶ removed, if it says `kagent.sh/prune: "true"`
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName, ConditionTracker } from '../../shared/component/component.ts';
import type { EventLog } from '../../shared/events/events.ts';
import { makeFolderIfPossible, writeFileIfChanged } from '../../shared/files/files.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import type { KubeClient } from '../../kube/kube.ts';
import type { PackagedManifest } from '../addons/addons.ts';
import { createAnnouncer } from './announce.ts';
import { createApplier } from './apply.ts';
import { ManifestFolder, failureOf } from './folder.ts';
import type { Failure } from './folder.ts';
import type { Timing } from './types.ts';
import { follow } from './follow.ts';
import { createPruner } from './prune.ts';
import { openRecords } from './records.ts';
import type { Records } from './records.ts';

export interface ManifestsOptions {
  readonly after: readonly ComponentName[];
  readonly kube: KubeClient;
  /** Where is kept what goes with its file. */
  readonly store: KeyValue;
  readonly nodeName: string;
  /** `server/manifests`. */
  readonly dir: string;
  /** Files that kagent brings, in the order in which they are applied. */
  readonly packaged: readonly PackagedManifest[];
  /** Names of packaged files, without ending, that are left out: `coredns`. */
  readonly disabled: readonly string[];
  readonly log: Log;
  readonly events: EventLog;
  readonly timing?: Timing;
}

const applying = "applies kagent's own manifests; kube-apiserver has not accepted all of them yet";
const usualTiming: Timing = { settleMs: 300, patienceMs: 1000, pruneAfterMs: 5000 };

/** Ready when kagent's own files were tried once; a file that fails is tried again and keeps nobody waiting. */
export function createManifests(options: ManifestsOptions): Component {
  const { dir, log, timing = usualTiming } = options;
  const packaged = options.packaged.filter(({ name }) => !options.disabled.includes(name));
  const own = new Set(packaged.map(({ name }) => `${name}.yaml`));
  const isPackaged = (file: string) => own.has(file);
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  let unwritten: readonly Failure[] = [];
  const tell = (failures: readonly Failure[]) => tellFailures(condition, [...unwritten, ...failures]);
  const pass = async (folder: ManifestFolder, signal: AbortSignal) => {
    try {
      if (unwritten.length > 0) unwritten = writePackaged(dir, packaged);
      const result = await folder.pass(signal);
      tell(folder.failures());
      return result;
    } catch (error) {
      if (!signal.aborted) tell([failureOf(error)]); // the folder is not there, or the datastore
      return { hasFailed: true, isWaiting: false };
    }
  };

  return {
    name: 'manifests',
    after: options.after,
    async start(signal) {
      const isNewFolder = makeFolderIfPossible(dir, 0o700, log);
      const { records, folder } = await openFolder({ ...options, isPackaged, timing, signal: stopping.signal });
      await leaveOut({ dir, records, disabled: options.disabled, isPackaged, log });
      if (isNewFolder) await forgetFiles(records, log);
      condition.set('False', 'Applying', applying);
      unwritten = writePackaged(dir, packaged);
      for (const { message } of unwritten) log.warn('packaged manifest not written', { problem: message });
      try {
        await folder.applyPackaged(signal);
        tell(folder.failures());
      } catch (error) {
        signal.throwIfAborted();
        tell([failureOf(error)]); // the folder cannot be read: following it tries again
      }
      work = follow({
        pass: (passSignal) => pass(folder, passSignal),
        dirs: () => folder.dirs(),
        settleMs: timing.settleMs,
        signal: stopping.signal,
      });
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}

async function openFolder(
  options: Pick<ManifestsOptions, 'kube' | 'dir' | 'store' | 'nodeName' | 'log' | 'events'> & {
    readonly isPackaged: (file: string) => boolean;
    readonly timing: Timing;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly records: Records; readonly folder: ManifestFolder }> {
  const { kube, dir, store, nodeName, isPackaged, timing } = options;
  const records = await openRecords(store, nodeName);
  const shared = { kube, records, announcer: createAnnouncer(options), isPackaged, timing, clock: systemClock };
  const folder = new ManifestFolder({
    ...shared,
    dir,
    applier: createApplier(kube),
    pruner: createPruner(shared),
  });
  return { records, folder };
}

function tellFailures(condition: ConditionTracker, [first, ...others]: readonly Failure[]): void {
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  if (first === undefined) condition.set('True', 'Applied', '');
  else condition.set('False', 'NotApplied', first.message + more, first.remedy);
}

/** @returns what could not be written, a sentence each */
function writePackaged(dir: string, packaged: readonly PackagedManifest[]) {
  return packaged.flatMap(({ name, text }) => {
    try {
      writeFileIfChanged(join(dir, `${name}.yaml`), text, 0o600);
      return [];
    } catch (error) {
      return [failureOf(error, `${name}.yaml: it cannot be written: `)];
    }
  });
}

/** Files that kagent wrote at an earlier start and does not want now; their objects follow. */
async function leaveOut(options: {
  readonly dir: string;
  readonly records: Records;
  readonly disabled: readonly string[];
  readonly isPackaged: (file: string) => boolean;
  readonly log: Log;
}): Promise<void> {
  const { dir, records, disabled, isPackaged, log } = options;
  const retired = [...records.all()].filter(([file, record]) => record.isPackaged && !isPackaged(file));
  const names = [...retired.map(([file]) => file), ...disabled.map((name) => `${name}.yaml`)];
  for (const name of names) {
    try {
      rmSync(join(dir, name), { force: true });
    } catch (error) {
      log.warn('unneeded manifest not removed', { file: name, error }); // a folder is in its place
    }
  }
}

/** A snapshot was restored on a new disk: a folder that was never filled does not say that anything was removed. */
async function forgetFiles(records: Records, log: Log): Promise<void> {
  const files = [...records.all()].filter(([, { isPackaged }]) => !isPackaged).map(([file]) => file);
  for (const file of files) {
    log.warn('manifest is no longer on this disk; its objects stay', { file });
    await records.delete(file);
  }
}

export type { Timing } from './types.ts';
export { ManifestInvalidError, ManifestRefusedError, UnknownKindError } from './errors.ts';
