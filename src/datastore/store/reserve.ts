/**
 * @module
 * A file that holds nothing but room: given up when the disk is full, so that deletions and compaction, which need a little
 * themselves, can make space.
 */
import { existsSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';

const reserveBytes = 8 << 20;
const pieceBytes = 256 << 10;
/** A store that ends sooner needs none. */
const firstFillMs = 1000;
const retryMs = 1000;

export interface ReserveHost {
  /** Room inside the store's own file. */
  holeBytes(): number;
  /** Gives the disk what was freed: it leaves the file only when the log has been moved into it, and no commit does that now. */
  giveBack(): void;
  /** There is room, at first or again. */
  onRoom(): void;
}

export class Reserve {
  readonly #path: string;
  readonly #host: ReserveHost;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, host: ReserveHost) {
    this.#path = path;
    this.#host = host;
  }

  start(): void {
    this.#fillAfter(firstFillMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The disk is full. */
  giveUp(): void {
    rmSync(this.#path, { force: true });
    this.#fillAfter(retryMs);
  }

  #fillAfter(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#fill(), delayMs).unref();
  }

  async #fill(): Promise<void> {
    const hasRoom = existsSync(this.#path) || (await this.#write()) || (await this.#writeAfterAll());
    if (hasRoom) this.#host.onRoom();
    else this.#fillAfter(retryMs);
  }

  async #writeAfterAll(): Promise<boolean> {
    this.#host.giveBack();
    return (await this.#write()) || this.#host.holeBytes() >= reserveBytes;
  }

  async #write(): Promise<boolean> {
    const partial = `${this.#path}.partial`;
    try {
      const file = await open(partial, 'w', 0o600);
      try {
        const zeros = Buffer.alloc(pieceBytes);
        for (let written = 0; written < reserveBytes; written += pieceBytes) await file.writeFile(zeros);
        await file.datasync(); // file systems may find out late that there is no room
      } finally {
        await file.close();
      }
      await rename(partial, this.#path);
      return true;
    } catch {
      await rm(partial, { force: true }).catch(() => {});
      return false;
    }
  }
}
