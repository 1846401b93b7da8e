import { closeSync, fstatSync, openSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { makeFolder } from '../../shared/files/files.ts';

export interface ChildLog {
  readonly path: string;
  line(text: string): void;
}
export interface ChildLogs {
  /** The file of one child; the same one each time. */
  open(name: string): ChildLog;
  close(): void;
}

export interface ChildLogsOptions {
  readonly maxBytes: number;
  /** Told once of a file that cannot be written, until it can. */
  readonly onProblem?: (path: string, error: unknown) => void;
}

/**
 * A file a child, `<dir>/<name>.log`; at `maxBytes` it becomes `<name>.log.1` and the one before is dropped.
 * Written with its lines' order kept and without a queue: when the disk is slow the child waits on its pipe. A disk that
 * cannot be written loses log lines, never the child.
 */
export function childLogs(dir: string, options: ChildLogsOptions): ChildLogs {
  const open = new Map<string, RotatingFile>();
  return {
    open(name) {
      const known = open.get(name) ?? new RotatingFile(join(dir, `${name}.log`), options);
      open.set(name, known);
      return known;
    },
    close() {
      for (const file of open.values()) file.close();
      open.clear();
    },
  };
}

class RotatingFile implements ChildLog {
  readonly #path: string;
  readonly #options: ChildLogsOptions;
  #fd: number | undefined;
  #sizeBytes = 0;
  #isTold = false;

  constructor(path: string, options: ChildLogsOptions) {
    this.#path = path;
    this.#options = options;
    this.#attempt(() => this.#open());
  }

  line(text: string): void {
    this.#attempt(() => {
      const bytes = Buffer.from(`${text}\n`);
      if (this.#sizeBytes + bytes.length > this.#options.maxBytes) this.#rotate();
      writeFileSync(this.#fd ?? this.#open(), bytes); // all of it, however much the disk takes at once
      this.#sizeBytes += bytes.length;
      this.#isTold = false;
    });
  }

  get path(): string {
    return this.#path;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    makeFolder(dirname(this.#path), 0o700);
    const fd = openSync(this.#path, 'a', 0o600);
    this.#fd = fd;
    this.#sizeBytes = fstatSync(fd).size;
    return fd;
  }

  #rotate(): void {
    this.close();
    this.#sizeBytes = 0;
    try {
      renameSync(this.#path, `${this.#path}.1`);
    } catch (error) {
      truncateSync(this.#path); // the newest lines are worth more
      this.#tell(error);
    }
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    if (!this.#isTold) this.#options.onProblem?.(this.#path, error);
    this.#isTold = true;
  }
}
