import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ChildLog {
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
  mkdirSync(dir, { recursive: true, mode: 0o700 });
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

  /** A disk that is full or fails loses log lines, never the child. */
  line(text: string): void {
    const bytes = Buffer.from(`${text}\n`);
    try {
      if (this.#sizeBytes + bytes.length > this.#maxBytes) this.#rotate();
      writeFileSync(this.#fd, bytes);
      this.#sizeBytes += bytes.length;
    } catch {
      // The next line tries again.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** The old file stays open until there is a new one: a closed number may be another file's in a moment. */
  #rotate(): void {
    const old = `${this.#path}.1`;
    renameSync(this.#path, old);
    let fd: number;
    try {
      fd = openSync(this.#path, 'a', 0o600);
    } catch (error) {
      renameSync(old, this.#path);
      throw error;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#sizeBytes = 0;
  }
}
