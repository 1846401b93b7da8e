import { once } from 'node:events';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { KagentError, systemCode } from '../errors.ts';
import { readFileIfExists, writeFileAtomicSync } from '../files/files.ts';
import type { Paths } from '../paths.ts';
import { compareVersions, version } from '../version/version.ts';

export class DataDirInUseError extends KagentError {
  readonly code = 'DATA_DIR_IN_USE';
  readonly fault = 'operator';

  constructor(dataDir: string, holder: string) {
    super(
      `another kagent${holder} runs on ${dataDir}; see it with 'kagent status', stop it first, or choose another --data-dir`,
    );
  }
}

export class NewerDataDirError extends KagentError {
  readonly code = 'DATA_DIR_NEWER';
  readonly fault = 'operator';

  constructor(dataDir: string, writtenBy: string) {
    super(
      `${dataDir} was written by kagent ${writtenBy}, this one is ${version}; install kagent ${writtenBy} or newer, or choose another --data-dir`,
    );
  }
}

/**
 * Takes the data dir for this process alone, for as long as it lives. The kernel holds the lock (a socket name without a
 * file), so that a killed kagent leaves none behind.
 * @throws {DataDirInUseError} @throws {NewerDataDirError}
 */
export async function lockDataDir(paths: Paths): Promise<() => void> {
  mkdirSync(paths.dataDir, { recursive: true, mode: 0o755 });
  const lock = createServer();
  lock.listen(`\0kagent:${realpathSync(paths.dataDir)}`);
  try {
    await once(lock, 'listening');
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE') throw error;
    const pid = readFileIfExists(paths.lock)?.trim();
    throw new DataDirInUseError(paths.dataDir, pid === undefined ? '' : ` (pid ${pid})`);
  }
  lock.unref();
  const release = () => void lock.close();
  try {
    checkVersion(paths);
  } catch (error) {
    release();
    throw error;
  }
  writeFileAtomicSync(paths.lock, `${process.pid}\n`, 0o600);
  return release;
}

/** A newer kagent may have changed what is on disk in ways that this one does not know. */
function checkVersion(paths: Paths): void {
  const text = readFileIfExists(paths.version);
  const writtenBy = text === undefined ? version : (JSON.parse(text) as { version: string }).version;
  if (compareVersions(writtenBy, version) > 0) throw new NewerDataDirError(paths.dataDir, writtenBy);
  if (text === undefined || writtenBy !== version) {
    writeFileAtomicSync(paths.version, `${JSON.stringify({ version })}\n`, 0o644);
  }
}
