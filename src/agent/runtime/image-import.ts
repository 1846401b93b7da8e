import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { lastLines } from '../../shared/plain-text/plain-text.ts';
import { childEnvironment } from '../../host/process/process.ts';
import { CommandFailedError, run } from '../../host/run.ts';
import { kubernetesNamespace, listImages, pinnedLabel } from './containerd-api.ts';
import { ImageImportError } from './errors.ts';
import { isSameFile } from './image-files.ts';
import type { ImageFile } from './image-files.ts';

export interface ImporterOptions {
  readonly socketPath: string;
  readonly binDir: string;
  readonly snapshotter: string;
  /** Which archives were imported, and what was in them. */
  readonly recordPath: string;
  readonly log: Log;
}

/** An archive on record: the file as it was, and the names that containerd has its images by. */
interface Imported {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly names: readonly string[];
}

/** Brings archives into containerd, and knows by its record what is there already. */
export class Importer {
  readonly #options: ImporterOptions;
  readonly #record: Map<string, Imported>;
  #isWrittenDown = true;

  constructor(options: ImporterOptions) {
    this.#options = options;
    this.#record = readRecord(options.recordPath);
  }

  /** Those that changed, or of which containerd lacks an image. */
  async missing(archives: readonly ImageFile[], signal: AbortSignal): Promise<readonly ImageFile[]> {
    if (archives.length === 0) return [];
    const present = new Set((await listImages(this.#options.socketPath, signal)).map((image) => image.name));
    return archives.filter((archive) => {
      const known = this.#record.get(archive.path);
      if (known === undefined || !isSameFile(archive, known)) return true;
      return known.names.length === 0 || !known.names.every((name) => present.has(name));
    });
  }

  /** @throws {ImageImportError} */
  async import({ path, sizeBytes, modifiedMs }: ImageFile, signal: AbortSignal): Promise<void> {
    const { binDir, socketPath, snapshotter, log } = this.#options;
    const args = ['--address', socketPath, '--namespace', kubernetesNamespace, '--snapshotter', snapshotter];
    try {
      const stdout = await run(join(binDir, 'image-import'), [...args, '--label', pinnedLabel.join('='), path], {
        env: childEnvironment('image-import', { path: binDir, direct: [] }),
        signal,
      });
      const names = JSON.parse(stdout) as readonly string[];
      this.#record.set(path, { sizeBytes, modifiedMs, names });
      this.#isWrittenDown = false;
      log.info('images imported', { archive: path, images: names });
    } catch (error) {
      signal.throwIfAborted();
      throw new ImageImportError(path, reasonOf(error), { cause: error });
    }
  }

  /** Writes down what was imported, but for files that are gone. */
  keep(): void {
    const { recordPath, log } = this.#options;
    for (const path of this.#record.keys()) {
      if (existsSync(path)) continue;
      this.#record.delete(path);
      this.#isWrittenDown = false;
    }
    if (this.#isWrittenDown) return;
    try {
      writeFileAtomicSync(recordPath, JSON.stringify(Object.fromEntries(this.#record), null, 2), 0o600);
      this.#isWrittenDown = true;
    } catch (error) {
      // Without it everything is imported again at the next start, which is harmless.
      log.warn('imported images not written down', { path: recordPath, error });
    }
  }
}

function readRecord(path: string): Map<string, Imported> {
  try {
    return new Map(Object.entries(JSON.parse(readFileIfExists(path) ?? '{}') as Record<string, Imported>));
  } catch {
    return new Map(); // unreadable: everything is imported again
  }
}

function reasonOf(error: unknown): string {
  const said = error instanceof CommandFailedError ? lastLines(error.ended.stderr, 1) : '';
  return (said || messageOf(error)).replace(/^image-import: /, '');
}
