/** The whole of it, loaded when it is asked for. */
import { statSync } from 'node:fs';
import { isSea } from 'node:sea';
import type { Paths } from '../shared/paths.ts';
import { addTools } from '../host/process/process.ts';
import { writeArchive } from './archive.ts';
import { collect } from './collect.ts';
import { logParts } from './logs.ts';
import { parts } from './parts.ts';
import { createRedactor } from './redact.ts';
import { readSettings } from './settings.ts';

// Who asks for help has a box that is slow to answer more often than not; what it has to say is worth waiting for.
const limits = { timeoutMs: 30_000, maxPartBytes: 8 * 1024 * 1024, maxBytes: 50 * 1024 * 1024 };

export interface GatherOptions {
  readonly paths: Paths;
  /** Of the kagent that runs, if one does: what it was told may hold secrets. */
  readonly pid: number | undefined;
  readonly sinceMs: number;
  /** The archive. */
  readonly path: string;
  /** The folder all its files are in. */
  readonly root: string;
}

export interface Gathered {
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly errors: readonly string[];
}

export async function gather({ paths, pid, sinceMs, path, root }: GatherOptions): Promise<Gathered> {
  const { maxPartBytes, timeoutMs } = limits;
  addTools(paths.bin); // `ip` and the like, where the box has none
  const settings = readSettings(paths, pid);
  const all = [
    ...settings.parts,
    ...parts({ paths, self: thisProgram(), timeoutMs, maxPartBytes }),
    ...logParts({ paths, sinceMs, maxPartBytes, timeoutMs }),
  ];
  const redactor = createRedactor(settings.secrets);
  const { files, errors } = await collect(all, { ...limits, timeoutMs: timeoutMs + 2000, redactor });
  await writeArchive(path, root, [{ name: 'errors.txt', text: errors.map((line) => `${line}\n`).join('') }, ...files]);
  return { fileCount: files.length, sizeBytes: statSync(path).size, errors };
}

function thisProgram(): readonly [string, ...string[]] {
  const [, script = ''] = process.argv;
  return isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, script];
}
