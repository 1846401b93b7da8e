/**
 * Worker threads and the SQLite addon, the same in development and in the one executable.
 *
 * In development a worker starts from its `.ts` file and the addon from node_modules. In the executable neither exists as a
 * file: the build puts both in as assets, a worker starts from its embedded text, and the addon is written out once.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';
import { readBytes, writeFileAtomicSync } from '../../shared/files/files.ts';
import { addonAsset, workerAsset } from './embedded.ts';

/**
 * Starts `src/<name>.ts` as a worker thread. The build embeds every `src/**\/*-worker.ts`, so a worker's file is named so.
 * @param name its path below `src`, without `.ts`: `datastore/store/writer-worker`
 */
export function startWorker(name: string, options: WorkerOptions = {}): Worker {
  if (isSea()) return new Worker(getAsset(workerAsset(name), 'utf8'), { name, ...options, eval: true });
  return new Worker(new URL(`../../${name}.ts`, import.meta.url), { name, ...options });
}

/**
 * The path of better-sqlite3's `.node` file, for its option `nativeBinding`. Works in worker threads too.
 * @param libDir where to write it in the executable: a folder only root writes to, such as `<data-dir>/data/lib`.
 *   By default a private one in XDG_RUNTIME_DIR or the temporary folder.
 */
export function nativeAddonPath(libDir?: string): string {
  if (!isSea()) return prebuiltAddon();
  const content = Buffer.from(getAsset(addonAsset));
  const name = `better_sqlite3-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.node`;
  const path = join(libDir ?? privateDir(), name);
  // Threads and processes may do this at the same time: the last rename wins.
  if (!isFileWith(path, content)) writeFileAtomicSync(path, content, 0o700);
  return path;
}

function isFileWith(path: string, content: Buffer): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true && readBytes(path).equals(content);
}

function prebuiltAddon(): string {
  const entry = createRequire(import.meta.url).resolve('better-sqlite3');
  return join(dirname(entry), '..', 'prebuilds', `linux-${process.arch}.node`);
}

let madeDir: string | undefined;

/** A folder that nobody else can write to: what is loaded from it runs as us. Gone when the process ends. */
function privateDir(): string {
  const runtimeDir = process.env['XDG_RUNTIME_DIR'];
  if (runtimeDir !== undefined && statSync(runtimeDir, { throwIfNoEntry: false })?.uid === process.getuid?.()) {
    return join(runtimeDir, 'kagent');
  }
  if (madeDir === undefined) {
    const dir = mkdtempSync(join(tmpdir(), 'kagent-')); // 0700
    process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
    madeDir = dir;
  }
  return madeDir;
}
