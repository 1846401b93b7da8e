import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { KagentError, systemCode } from '../../shared/errors.ts';
import { makeFolder, readFileIfExists, readFileIfReadable, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';
import { processStat } from '../process/process.ts';
import { compareVersions, version } from '../../shared/version/version.ts';

export class DataDirInUseError extends KagentError {
  readonly code = 'DATA_DIR_IN_USE';
  readonly fault = 'operator';

  constructor(dataDir: string, pid: number | undefined) {
    const holder = pid === undefined ? '' : ` (pid ${pid})`;
    super(`another kagent${holder} runs on ${dataDir}`, {
      remedy: "see it with 'kagent status', stop it first, or choose another --data-dir",
    });
  }
}

export class NewerDataDirError extends KagentError {
  readonly code = 'DATA_DIR_NEWER';
  readonly fault = 'operator';

  constructor(dataDir: string, writtenBy: string) {
    super(`${dataDir} was written by kagent ${writtenBy}, this one is ${version}`, {
      remedy: `install kagent ${writtenBy} or newer, or choose another --data-dir`,
    });
  }
}

/**
 * Takes the data dir for this process alone, for as long as it lives. The kernel holds the lock and frees it when the process
 * ends, however it ends; a child does not inherit it, and a reboot leaves none. It is on a file that root alone can open: a name
 * that anybody can take, such as an abstract socket's, would let anybody keep kagent from starting. SQLite takes it because Node
 * itself cannot.
 * @throws {DataDirInUseError} @throws {NewerDataDirError}
 */
export function lockDataDir(paths: Paths): () => void {
  makeFolder(paths.dataDir, 0o755);
  const release = lockFile(paths.lock);
  if (release === undefined) throw new DataDirInUseError(paths.dataDir, livePid(paths.holder));
  try {
    checkVersion(paths);
    writeFileAtomicSync(paths.holder, `${process.pid}\n`, 0o600);
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

const sqliteBusy = 5;
/** Kept here: a database that is garbage gives its lock back. */
const held = new Set<DatabaseSync>();

/** @returns undefined if another process has it */
function lockFile(path: string): (() => void) | undefined {
  makePrivateFile(path);
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { readonly errcode?: number }).errcode === sqliteBusy) return undefined;
    throw error;
  }
  held.add(database);
  return () => {
    if (held.delete(database)) database.close();
  };
}

/** One that is there is not even opened: closing it would give up a lock that this process has on it. */
function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** Of the process that wrote it last, unless it has ended since. */
function livePid(path: string): number | undefined {
  const pid = Number(readFileIfReadable(path)?.trim());
  return Number.isInteger(pid) && processStat(pid) !== undefined ? pid : undefined;
}

/** A newer kagent may have changed what is on disk in ways that this one does not know. */
function checkVersion(paths: Paths): void {
  const writtenBy = versionIn(readFileIfExists(paths.version) ?? '');
  if (writtenBy !== undefined && compareVersions(writtenBy, version) > 0)
    throw new NewerDataDirError(paths.dataDir, writtenBy);
  if (writtenBy !== version) writeFileAtomicSync(paths.version, `${JSON.stringify({ version })}\n`, 0o644);
}

/** undefined: it was never written, or is damaged and so says nothing. */
function versionIn(text: string): string | undefined {
  try {
    const { version: writtenBy } = JSON.parse(text) as { readonly version?: unknown };
    return typeof writtenBy === 'string' && /^\d+\./.test(writtenBy) ? writtenBy : undefined;
  } catch {
    return undefined;
  }
}
