import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { task, type Component } from '../../shared/component/component.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { makeFolder, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { childEnvironment } from '../../shared/process/process.ts';
import { archiveImageNames } from './archive.ts';
import { kubernetesNamespace, listImages } from './containerd-api.ts';
import { ImageImportError } from './errors.ts';

export interface ImagesOptions {
  readonly socketPath: string;
  readonly binDir: string;
  /** What travels with kagent: a start fails without it. */
  readonly bundledDir: string;
  /** What a person put on the node: a bad file is a warning. */
  readonly userDir: string;
  /** Which archives were imported, and what was in them. */
  readonly recordPath: string;
  readonly log: Log;
}

/** An archive on record: the file as it was, and the names it gave. */
interface Imported {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly names: readonly string[];
}
type ImportRecord = Readonly<Record<string, Imported>>;

const archiveName = /\.(tar|tgz|tar\.gz|tar\.zst|tar\.zstd)$/;
const pinned = 'io.cri-containerd.pinned=pinned'; // the kubelet's image collection leaves these alone
const run = promisify(execFile);

export function imagesComponent(name: string, after: readonly string[], options: ImagesOptions): Component {
  return task(name, after, async (signal, saysWait) => {
    saysWait('Importing', `imports the image archives of ${options.bundledDir} and ${options.userDir} into containerd`);
    const imported = await importArchives(options, signal);
    if (imported.length > 0) options.log.info('images imported', { archives: imported });
  });
}

/**
 * Imports, side by side, every archive whose images containerd does not have or whose file has changed.
 * @returns the archives that were imported
 * @throws {ImageImportError} for a bundled one
 */
export async function importArchives(options: ImagesOptions, signal: AbortSignal): Promise<readonly string[]> {
  makeFolder(options.userDir, 0o700);
  const bundled = archivesIn(options.bundledDir);
  const user = archivesIn(options.userDir);
  if (bundled.length + user.length === 0) return [];
  const record = readRecord(options.recordPath);
  const present = new Set((await listImages(options.socketPath, signal)).map((image) => image.name));
  const missing = (path: string) => {
    const known = record[path];
    return known === undefined || !isSameFile(known, path) || !known.names.every((name) => present.has(name));
  };
  const done = await Promise.all([
    ...bundled.filter(missing).map((path) => importArchive(path, options, signal)),
    ...user.filter(missing).map((path) => importUserArchive(path, options, signal)),
  ]);
  const fresh = done.flat();
  if (fresh.length > 0) {
    const kept = Object.entries(record).filter(([path]) => bundled.includes(path) || user.includes(path));
    writeFileAtomicSync(options.recordPath, JSON.stringify(Object.fromEntries([...kept, ...fresh]), null, 2), 0o600);
  }
  return fresh.map(([path]) => path);
}

type RecordEntry = readonly [path: string, imported: Imported];

async function importArchive(path: string, options: ImagesOptions, signal: AbortSignal): Promise<RecordEntry[]> {
  try {
    const { size, mtimeMs } = statSync(path);
    const args = ['--address', options.socketPath, '-n', kubernetesNamespace, 'images', 'import', '--label', pinned];
    // Twice as fast, but it does not unpack a compressed archive.
    if (path.endsWith('.tar')) args.push('--local');
    const importing = run(join(options.binDir, 'ctr'), [...args, path], {
      env: childEnvironment('ctr', { path: options.binDir, direct: [] }),
      signal,
    });
    const [names] = await Promise.all([archiveImageNames(path), importing]);
    return [[path, { sizeBytes: size, modifiedMs: mtimeMs, names }]];
  } catch (error) {
    signal.throwIfAborted();
    throw new ImageImportError(path, lastLine(error));
  }
}

async function importUserArchive(path: string, options: ImagesOptions, signal: AbortSignal): Promise<RecordEntry[]> {
  try {
    return await importArchive(path, options, signal);
  } catch (error) {
    signal.throwIfAborted();
    options.log.warn('image archive not imported', { archive: path, error });
    return [];
  }
}

function archivesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => archiveName.test(name))
      .toSorted()
      .map((name) => join(dir, name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function isSameFile(known: Imported, path: string): boolean {
  const { size, mtimeMs } = statSync(path);
  return size === known.sizeBytes && mtimeMs === known.modifiedMs;
}

function readRecord(path: string): ImportRecord {
  try {
    return JSON.parse(readFileIfExists(path) ?? '{}') as ImportRecord;
  } catch {
    return {}; // unreadable: everything is imported again, which is harmless
  }
}

function lastLine(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return said.split('\n').at(-1) || messageOf(error);
}
