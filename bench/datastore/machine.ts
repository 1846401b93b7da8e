/** On what the figures were measured. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './summary.ts';

/** Magic numbers of statfs(2). */
const fileSystems: Readonly<Record<number, string>> = { 0xef53: 'ext4', 0x58465342: 'xfs', 0x9123683e: 'btrfs' };
const tmpfs = 0x01021994;

/** @throws where an fsync would cost nothing */
export function describeMachine(dir: string): string {
  const { type } = statfsSync(dir);
  if (type === tmpfs) throw new Error(`${dir} is in memory: name a folder on a disk with --dir`);
  const gib = Math.round(totalmem() / 2 ** 30);
  const { p50Ms, p99Ms } = fsyncLatency(join(dir, 'fsync'));
  return (
    `${cpus().length} × ${cpus()[0]?.model}, ${gib} GiB, Linux ${release()}, ${fileSystems[type] ?? type.toString(16)}; ` +
    `an fsync after 4 KiB takes ${p50Ms.toFixed(2)} ms (p99 ${p99Ms.toFixed(2)} ms)`
  );
}

/** Appended and synced one after the other, as a database's log is. */
function fsyncLatency(path: string): { readonly p50Ms: number; readonly p99Ms: number } {
  const page = Buffer.alloc(4096, 1);
  const file = openSync(path, 'w');
  const took = Array.from({ length: 500 }, () => {
    const began = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  rmSync(path);
  return {
    p50Ms: median(took),
    p99Ms: took.toSorted((a, b) => a - b)[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN,
  };
}
