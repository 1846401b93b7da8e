import { basename } from 'node:path';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/events/events.ts';
import { makeFolderIfPossible } from '../../shared/files/files.ts';
import { imageFilesIn, isSameFile } from './image-files.ts';
import type { ImageFile } from './image-files.ts';
import { Importer } from './image-import.ts';
import type { ImporterOptions } from './image-import.ts';
import { pullList } from './image-list.ts';
import { pause } from '../../shared/pause.ts';
import { untilNextRound } from '../../shared/rounds.ts';

export interface ImagesOptions extends ImporterOptions {
  /** What travels with kagent: a start fails without it. */
  readonly bundledDir: string;
  /** What travels with kagent and no start needs: it is imported afterwards, and a start that comes sooner is none the worse. */
  readonly later: { readonly dir: string; readonly when: Promise<void> };
  /** What a person put on the node, also while it runs: a bad file is a warning. */
  readonly userDir: string;
  readonly events: EventLog;
}

/** What has become of a file of the person's. */
interface Taken {
  readonly file: ImageFile;
  readonly problem?: string;
  readonly failures: number;
  /** Of `performance.now()`. */
  readonly retryAtMs: number;
}

/** Looking costs microseconds. A file that has not changed by the next time is whole. */
const lookEveryMs = 2000;
const firstRetryMs = 60_000;
const maxRetryMs = 900_000;
/** Reading, decompressing and unpacking are the processor's work. */
const atOnce = 2;

/** Ready when the archives that are there at the start are imported; lists are pulled, and new files taken, while it runs. */
export function imagesComponent(
  name: ComponentName,
  after: readonly ComponentName[],
  options: ImagesOptions,
): Component {
  const condition = conditionTracker();
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
  let work: Promise<unknown> = Promise.resolve();

  const follow = async (folder: ImageFolder, onLook: () => void) => {
    while (!stopping.signal.aborted) {
      await pause(untilNextRound(lookEveryMs), stopping.signal);
      await folder.takeSettled(stopping.signal);
      onLook();
    }
  };

  const takeLater = async (folder: ImageFolder, onLook: () => void) => {
    await Promise.race([options.later.when, stopped]);
    while (!stopping.signal.aborted) {
      await folder.takeAll(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) options.log.warn('images not checked', { error }); // containerd is away: next time
      });
      onLook();
      if (folder.isTaken) return;
      await pause(firstRetryMs, stopping.signal);
    }
  };

  return {
    name,
    after,
    async start(signal) {
      const { bundledDir, userDir } = options;
      condition.set('False', 'Importing', `imports the image archives of ${bundledDir} and ${userDir} into containerd`);
      const importer = new Importer(options);
      const bundled = imageFilesIn(options.bundledDir).filter(isArchive);
      const missing = await importer.missing(bundled, signal);
      await Promise.all(missing.map((archive) => importer.import(archive, signal)));
      importer.keep();
      makeFolderIfPossible(options.userDir, 0o700, options.log); // people shall find it
      const archives = new ImageFolder({ ...options, importer, takes: ({ kind }) => kind !== 'list' });
      const lists = new ImageFolder({ ...options, importer, takes: ({ kind }) => kind === 'list' });
      const later = new ImageFolder({ ...options, importer, userDir: options.later.dir, takes: isArchive });
      await archives.takeAll(signal);
      const folders = [archives, lists, later];
      const report = () => condition.set('True', 'Imported', folders.flatMap((folder) => folder.problems()).join('; '));
      report();
      // Pulling may take long, and archives do not wait for it.
      work = Promise.all([follow(archives, report), follow(lists, report), takeLater(later, report)]);
    },
    async stop() {
      stopping.abort();
      await work;
    },
    health: () => condition.current(),
  };
}

const isArchive = ({ kind }: ImageFile) => kind === 'archive';

interface FolderOptions extends ImagesOptions {
  readonly importer: Importer;
  /** Which files of the folder it sees to. */
  readonly takes: (file: ImageFile) => boolean;
}

/** The person's files, and what has become of each. */
class ImageFolder {
  readonly #options: FolderOptions;
  /** By path, as of the last look. */
  #seen: ReadonlyMap<string, ImageFile> = new Map();
  readonly #taken = new Map<string, Taken>();

  constructor(options: FolderOptions) {
    this.#options = options;
  }

  /** Each with its file's name. */
  problems(): readonly string[] {
    return [...this.#taken].flatMap(([path, { problem }]) =>
      problem === undefined ? [] : [`${basename(path)}: ${problem}`],
    );
  }

  /** All that was there at the last look, without a problem. */
  get isTaken(): boolean {
    return [...this.#seen.keys()].every(
      (path) => this.#taken.get(path)?.problem === undefined && this.#taken.has(path),
    );
  }

  async takeAll(signal: AbortSignal): Promise<void> {
    await this.#takeThese(this.#look(), signal);
  }

  /** What is new or changed and was so at the last look, and what failed long enough ago. Rejects with nothing. */
  async takeSettled(signal: AbortSignal): Promise<void> {
    const before = this.#seen;
    const due = this.#look().filter((file) => {
      const taken = this.#taken.get(file.path);
      if (taken !== undefined && isSameFile(file, taken.file) && file.kind === taken.file.kind)
        return taken.problem !== undefined && performance.now() >= taken.retryAtMs;
      return isSameFile(file, before.get(file.path));
    });
    if (due.length === 0) return;
    await this.#takeThese(due, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#options.log.warn('images not checked', { error }); // containerd is away: next time
    });
  }

  #look(): readonly ImageFile[] {
    const files = imageFilesIn(this.#options.userDir).filter(this.#options.takes);
    this.#seen = new Map(files.map((file) => [file.path, file]));
    for (const path of this.#taken.keys()) if (!this.#seen.has(path)) this.#taken.delete(path);
    return files;
  }

  async #takeThese(files: readonly ImageFile[], signal: AbortSignal): Promise<void> {
    const { importer } = this.#options;
    const archives = files.filter(({ kind }) => kind === 'archive');
    const missing = new Set(await importer.missing(archives, signal));
    const waiting = files.values();
    const takeNext = async () => {
      for (const file of waiting) await this.#take(file, missing.has(file), signal);
    };
    await Promise.all(Array.from({ length: atOnce }, takeNext));
    importer.keep();
  }

  async #take(file: ImageFile, isMissing: boolean, signal: AbortSignal): Promise<void> {
    try {
      if (file.kind === 'unusable') throw new Error(file.problem);
      if (file.kind === 'list') await pullList(file.path, this.#options, signal);
      else if (isMissing) await this.#options.importer.import(file, signal);
      this.#taken.set(file.path, { file, failures: 0, retryAtMs: Infinity });
    } catch (error) {
      signal.throwIfAborted();
      this.#fail(file, messageOf(error));
    }
  }

  #fail(file: ImageFile, problem: string): void {
    const before = this.#taken.get(file.path);
    const failures = (before?.failures ?? 0) + 1;
    const retryAtMs = performance.now() + Math.min(firstRetryMs * 2 ** (failures - 1), maxRetryMs);
    this.#taken.set(file.path, { file, problem, failures, retryAtMs });
    if (before?.problem === problem) return; // said already
    const { log, events } = this.#options;
    log.warn('image file not used', { file: file.path, problem });
    const message = `${file.path}: ${problem}`;
    events.record({ type: 'Warning', reason: 'ImageFileNotTaken', regarding: 'agent/images', message });
  }
}
