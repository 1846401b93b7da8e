import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../files/files.ts';

export interface ChildLog {
  readonly path: string;
  line(text: string): void;
}
export interface ChildLogs {
  /** The file of one child; the same one each time. */
  open(name: string): ChildLog;
  close(): void;
}

/**
 * A file a child, `<dir>/<name>.log`; at `maxBytes` it becomes `<name>.log.1` and the one before is dropped.
 * Written with its lines' order kept and without a queue: when the disk is slow the child waits on its pipe.
 */
export function childLogs(dir: string, options: { readonly maxBytes: number }): ChildLogs {
  makeFolder(dir, 0o700);
  const open = new Map<string, RotatingFile>();
  return {
    open(name) {
      const known = open.get(name) ?? new RotatingFile(join(dir, `${name}.log`), options.maxBytes);
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
  readonly #maxBytes: number;
  #fd: number;
  #sizeBytes: number;

  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#fd = openSync(path, 'a', 0o600);
    this.#sizeBytes = fstatSync(this.#fd).size;
  }

  line(text: string): void {
    const bytes = Buffer.from(`${text}\n`);
    if (this.#sizeBytes + bytes.length > this.#maxBytes) this.#rotate();
    try {
      writeSync(this.#fd, bytes);
      this.#sizeBytes += bytes.length;
    } catch {
      // A full disk loses log lines, never the child.
    }
  }

  get path(): string {
    return this.#path;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    closeSync(this.#fd);
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a', 0o600);
    this.#sizeBytes = 0;
  }
}
