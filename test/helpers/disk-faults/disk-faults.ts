/** A disk that fails when a test wants it to: disk-faults.c in front of a process's calls, and this to say what it does. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

const calls = { open: 1, read: 2, write: 4, sync: 8, rename: 16, unlink: 32, truncate: 64, mkdir: 128 } as const;
export type DiskCall = keyof typeof calls;
export const diskCalls = Object.keys(calls) as readonly DiskCall[];

const actions = { count: 0, fail: 1, short: 2, hang: 3, flip: 4 } as const;

/** `short` and `flip` are for reads and writes alone: half of it, and one bit of it. */
export type FaultKind = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EROFS' | 'short' | 'hang' | 'flip';

export interface Fault {
  readonly calls: readonly DiskCall[];
  /** `count`: every call succeeds. */
  readonly kind: FaultKind | 'count';
  /** Which of the matching calls, from 1. */
  readonly nth?: number;
  /** How many in a row; Infinity: until it is disarmed. */
  readonly times?: number;
  /** Only files whose name ends so. */
  readonly part?: string;
  readonly hangMs?: number;
}

/** As in `struct control`. */
const at = { fired: 32, part: 40, first: 128, seenOf: 384 } as const;
const controlBytes = at.seenOf + 4 * diskCalls.length;
const longestPart = 87;

export class DiskFaults {
  /** What the process that is to meet the faults needs in its environment. */
  readonly env: { readonly LD_PRELOAD: string; readonly [name: string]: string };
  readonly #fd: number;

  private constructor(control: string, env: DiskFaults['env']) {
    this.#fd = openSync(control, 'r+');
    this.env = env;
  }

  /** @param dir the folder whose files can fail @param work for the library and the control file, elsewhere */
  static in(dir: string, work: string): DiskFaults {
    const control = join(work, 'disk-faults.control');
    writeFileSync(control, Buffer.alloc(controlBytes));
    return new DiskFaults(control, {
      LD_PRELOAD: buildLibrary(work),
      DISK_FAULTS_DIR: dir,
      DISK_FAULTS_CONTROL: control,
      UV_USE_IO_URING: '0', // what the kernel does by itself no library sees
    });
  }

  /** From inside the process that meets them. */
  static at(control: string): DiskFaults {
    return new DiskFaults(control, { LD_PRELOAD: '' });
  }

  /** Of the control file. */
  get control(): string {
    return this.env['DISK_FAULTS_CONTROL'] ?? '';
  }

  arm({ calls: which, kind, nth = 1, times = 1, part = '', hangMs = 0 }: Fault): void {
    this.disarm();
    const isError = kind.startsWith('E');
    const bytes = Buffer.alloc(controlBytes);
    const words = [
      0,
      which.reduce((mask, call) => mask | calls[call], 0),
      nth,
      Math.min(times, 0xff_ff_ff_ff),
      isError ? actions.fail : actions[kind as keyof typeof actions],
      isError ? constants.errno[kind as keyof typeof constants.errno] : 0,
      hangMs,
    ];
    for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4);
    bytes.write(part.slice(0, longestPart), at.part, 'latin1');
    writeSync(this.#fd, bytes, 0, controlBytes, 0);
    this.#setArmed(1);
  }

  /** The disk is whole again; what it did can still be asked. */
  disarm(): void {
    this.#setArmed(0);
  }

  /** Matching calls since it was armed. */
  seen(call: DiskCall): number {
    return this.#read(at.seenOf + 4 * diskCalls.indexOf(call));
  }

  /** Calls that failed since it was armed. */
  get fired(): number {
    return this.#read(at.fired);
  }

  /** The call that failed first, and the file: `pwrite64 store.db-wal`. */
  get first(): string {
    const bytes = Buffer.alloc(at.seenOf - at.first);
    readSync(this.#fd, bytes, 0, bytes.length, at.first);
    return bytes.toString('latin1', 0, bytes.indexOf(0));
  }

  close(): void {
    this.disarm();
    closeSync(this.#fd);
  }

  #setArmed(value: number): void {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(value);
    writeSync(this.#fd, word, 0, 4, 0);
  }

  #read(offset: number): number {
    const word = Buffer.alloc(4);
    readSync(this.#fd, word, 0, 4, offset);
    return word.readUInt32LE();
  }
}

/** @returns its path */
export function buildLibrary(dir: string): string {
  const library = join(dir, 'disk-faults.so');
  const source = join(import.meta.dirname, 'disk-faults.c');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  return library;
}
