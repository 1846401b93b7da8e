/**
 * @module
 * What is applied to the cluster from files: `server/manifests/*.yaml`, kagent's own among them.
 * Knows: the packaged files, server-side apply, watching the folder. Leaves to others: speaking to kube-apiserver
 * (control-plane/).
 */
import { readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { conditionTracker, type Component } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/events/events.ts';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import type { KubeClient } from '../control-plane/control-plane.ts';
import { createApplier, type Applier } from './apply.ts';
import { packagedManifests, type PackagedSettings } from './packaged.ts';

export interface ManifestsOptions {
  readonly kube: KubeClient;
  /** `server/manifests`. */
  readonly dir: string;
  readonly packaged: PackagedSettings;
  /** Names of packaged files, without ending, that are left out: `coredns`. */
  readonly disabled: readonly string[];
  readonly log: Log;
  readonly events: EventLog;
}

/** Between a file's change and its application: an editor writes in several steps. */
const settleMs = 300;
const retryMs = 5000;

/** Ready when every file was tried once; a file that fails is tried again and keeps nobody waiting. */
export function createManifests(options: ManifestsOptions): Component {
  const { kube, dir, packaged, disabled, log, events } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  const folder = new ManifestFolder(dir, createApplier(kube), (file, error) => {
    const message = `${file}: ${messageOf(error)}`;
    log.warn('manifest not applied', { file, error });
    events.record({ type: 'Warning', reason: 'ManifestNotApplied', regarding: file, message });
  });
  let work = Promise.resolve();

  const pass = async (signal: AbortSignal) => {
    const failed = await folder.applyChanged(signal);
    if (failed.length === 0) condition.set('True', 'Applied', '');
    else condition.set('False', 'NotApplied', `not applied: ${failed.join(', ')}`);
    return failed.length === 0;
  };

  return {
    name: 'manifests',
    after: ['kube-apiserver'],
    async start(signal) {
      for (const { name, text } of packagedManifests(packaged)) {
        const path = join(dir, `${name}.yaml`);
        if (disabled.includes(name)) rmSync(path, { force: true });
        else writeFileIfChanged(path, text, 0o600);
      }
      const isDone = await pass(signal);
      work = followChanges({ dir, pass, isDone, signal: stopping.signal });
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}

/** Passes after each change in the folder, and now and then until a pass has nothing left to do. */
async function followChanges(options: {
  readonly dir: string;
  readonly pass: (signal: AbortSignal) => Promise<boolean>;
  readonly isDone: boolean;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { dir, pass, signal } = options;
  let { isDone } = options;
  let changed = Promise.withResolvers<void>();
  const watcher = watch(dir, { signal }, () => changed.resolve());
  watcher.on('error', () => changed.resolve()); // the folder is gone: the next pass says so
  signal.addEventListener('abort', () => changed.resolve());
  while (!signal.aborted) {
    const retry = isDone ? [] : [delay(retryMs, undefined, { signal, ref: false }).catch(() => {})];
    await Promise.race([changed.promise, ...retry]);
    changed = Promise.withResolvers<void>();
    if (signal.aborted) return;
    await delay(settleMs, undefined, { signal }).catch(() => {}); // only the stop ends it early
    isDone = await pass(signal).catch(() => false);
  }
}

/** The files and what was last applied of each. */
class ManifestFolder {
  readonly #dir: string;
  readonly #applier: Applier;
  readonly #onFailure: (file: string, error: unknown) => void;
  readonly #applied = new Map<string, string>();
  readonly #reported = new Map<string, string>();

  constructor(dir: string, applier: Applier, onFailure: (file: string, error: unknown) => void) {
    this.#dir = dir;
    this.#applier = applier;
    this.#onFailure = onFailure;
  }

  /** @returns the files that could not be applied */
  async applyChanged(signal: AbortSignal): Promise<readonly string[]> {
    const failed: string[] = [];
    for (const file of this.#files()) {
      signal.throwIfAborted();
      try {
        const text = readFileSync(join(this.#dir, file), 'utf8');
        const hash = createHash('sha256').update(text).digest('hex');
        if (this.#applied.get(file) === hash) continue;
        await this.#applier.apply(text, signal);
        this.#applied.set(file, hash);
        this.#reported.delete(file);
      } catch (error) {
        signal.throwIfAborted();
        failed.push(file);
        // Each failure is told once, not at each retry.
        if (this.#reported.get(file) !== messageOf(error)) this.#onFailure(file, error);
        this.#reported.set(file, messageOf(error));
      }
    }
    return failed;
  }

  /** By name, without those that have a `.skip` file beside them. */
  #files(): readonly string[] {
    const names = readdirSync(this.#dir).toSorted();
    const skipped = new Set(
      names.filter((name) => name.endsWith('.skip')).map((name) => name.slice(0, -'.skip'.length)),
    );
    return names.filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name) && !skipped.has(name));
  }
}

export { packagedManifests, type PackagedSettings } from './packaged.ts';
export { ManifestInvalidError, UnknownKindError } from './errors.ts';
