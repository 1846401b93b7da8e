import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Announcer } from './announce.ts';
import type { Applier } from './apply.ts';
import { ManifestInvalidError, ManifestUnreadableError } from './errors.ts';
import { findManifests } from './files.ts';
import type { Found, FoundFile } from './files.ts';
import type { PassResult } from './follow.ts';
import { objectsOf } from './parse.ts';
import type { Located } from './parse.ts';
import type { Pruner } from './prune.ts';
import type { Records } from './records.ts';
import { readText } from '../../shared/files/files.ts';
import type { Timing, FileState } from './types.ts';

export interface FolderOptions {
  readonly dir: string;
  readonly applier: Applier;
  readonly pruner: Pruner;
  readonly records: Records;
  readonly announcer: Announcer;
  readonly isPackaged: (file: string) => boolean;
  readonly timing: Timing;
  readonly clock: Clock;
}

export interface Failure {
  readonly message: string;
  /** With which the message ends. */
  readonly remedy: string | undefined;
}

/** @param of what goes before its words */
export function failureOf(error: unknown, of = ''): Failure {
  return { message: of + messageOf(error), remedy: remedyOf(error) };
}

/** The files and what has become of each. */
export class ManifestFolder {
  readonly #options: FolderOptions;
  readonly #states = new Map<string, FileState>();
  readonly #notPruned = new Map<string, Error>();
  #dirs: readonly string[] = [];

  constructor(options: FolderOptions) {
    this.#options = options;
  }

  dirs(): readonly string[] {
    return this.#dirs;
  }

  /** What is not as the files say, one sentence a file: `web.yaml: line 3: …`. */
  failures(): readonly Failure[] {
    const errors = [...this.#states].flatMap(([file, { error }]) =>
      error === undefined ? [] : [[file, error] as const],
    );
    return [...errors, ...this.#notPruned].map(([file, error]) => failureOf(error, `${file}: `));
  }

  /** Applies kagent's own files alone, which others wait for. */
  async applyPackaged(signal: AbortSignal): Promise<void> {
    const { files } = this.#look();
    for (const file of files) if (this.#options.isPackaged(file.name)) await this.#bring(file, signal);
  }

  /** Applies what has changed, removes what has gone. */
  async pass(signal: AbortSignal): Promise<PassResult> {
    const found = this.#look();
    const present = new Set(found.files.map(({ name }) => name));
    for (const name of this.#states.keys()) if (!present.has(name)) this.#forget(name);
    let isWaiting = false;
    for (const file of found.files) {
      signal.throwIfAborted();
      if ((await this.#bring(file, signal)) === 'waiting') isWaiting = true;
    }
    const pruned = await this.#options.pruner.prune({ present, skipped: found.skipped, states: this.#states }, signal);
    this.#keepFailures(pruned.failures);
    return { hasFailed: this.failures().length > 0, isWaiting: isWaiting || pruned.isWaiting };
  }

  #forget(name: string): void {
    this.#states.delete(name);
    this.#options.announcer.isWell(name);
  }

  #look(): Found {
    const found = findManifests(this.#options.dir);
    this.#dirs = found.dirs;
    return found;
  }

  async #bring(file: FoundFile, signal: AbortSignal): Promise<'done' | 'waiting'> {
    const { isPackaged, timing, clock } = this.#options;
    const before = this.#states.get(file.name);
    if (before?.stamp === file.stamp && before.error === undefined) return 'done';
    const ageMs = clock.now() - file.changedAtMs;
    const isYounger = (ms: number) => !isPackaged(file.name) && ageMs >= 0 && ageMs < ms;
    if (isYounger(timing.settleMs)) return 'waiting';
    try {
      const { text, hash } = read(file);
      if (before?.hash === hash && before.error === undefined) {
        this.#states.set(file.name, { ...before, stamp: file.stamp });
        return 'done';
      }
      await this.#apply(file, { hash, objects: await objectsOf(text) }, signal);
    } catch (error) {
      signal.throwIfAborted();
      const isUnread = error instanceof ManifestInvalidError || error instanceof ManifestUnreadableError;
      if (isUnread && (isYounger(timing.patienceMs) || isGone(file))) return 'waiting';
      const { count, uids } = before ?? { count: 0, uids: new Set<string>() };
      this.#fail(file, { stamp: file.stamp, count, uids, error: asError(error) });
    }
    return 'done';
  }

  async #apply(
    { name, stamp }: FoundFile,
    { hash, objects }: { readonly hash: string; readonly objects: readonly Located[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { applier, records, announcer, isPackaged } = this.#options;
    const { applied, failures, takenOver } = await applier.apply(objects, signal);
    if (takenOver.length > 0) announcer.tookOver(name, takenOver);
    const uids = new Set(applied.map(({ uid }) => uid));
    const kept = applied.filter(({ prune }) => prune ?? isPackaged(name)).map(({ path, uid }) => ({ path, uid }));
    const record = records.all().get(name);
    // What it had before and has no more is for the pruner to see to.
    const gone = record?.objects.filter(({ uid }) => !uids.has(uid)) ?? [];
    const [error] = failures;
    const known = error === undefined ? hash : '';
    await records.set(name, { isPackaged: isPackaged(name), hash: known, objects: [...gone, ...kept] });
    const state = { stamp, hash, count: objects.length, uids };
    if (error !== undefined) return this.#fail({ name }, { ...state, error });
    this.#states.set(name, state);
    announcer.isWell(name);
    if (record?.hash !== hash) announcer.applied(name, objects.length);
  }

  #fail({ name }: { readonly name: string }, state: FileState & { readonly error: Error }): void {
    this.#states.set(name, state);
    this.#options.announcer.failed(name, state.error);
  }

  #keepFailures(failures: ReadonlyMap<string, Error>): void {
    this.#notPruned.clear();
    for (const [file, error] of failures) {
      this.#notPruned.set(file, error);
      this.#options.announcer.failed(file, error);
    }
  }
}

function read({ path, problem }: FoundFile): { readonly text: string; readonly hash: string } {
  if (problem !== undefined) throw problem;
  try {
    const text = readText(path);
    return { text, hash: createHash('sha256').update(text).digest('hex') };
  } catch (cause) {
    throw new ManifestUnreadableError(messageOf(cause), { cause });
  }
}

/** It was there a moment ago; the next look says what that means. */
function isGone({ path, problem }: FoundFile): boolean {
  return problem === undefined && !existsSync(path);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
