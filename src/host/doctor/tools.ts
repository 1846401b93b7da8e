import { Resolver } from 'node:dns/promises';
import { closeSync, fsyncSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createFileSync, existingPart, temporaryBeside } from '../../shared/files/files.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { runToEnd } from '../run.ts';

/** What cannot be read from a file. */
export interface Tools {
  /** A program that is not there answers 127. */
  run(command: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }>;
  space(path: string): DiskSpace;
  /** The code with which a name server refuses to look a name up; undefined: it has looked it up. */
  lookUp(server: string): Promise<string | undefined>;
  /** Milliseconds that each of some writes took to be on disk. */
  fsyncTimes(dir: string): readonly number[];
}

export interface DiskSpace {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

/** ufw and firewalld are Python, and slow on small boards. */
const commandTimeoutMs = 60_000;
const lookUpWithinMs = 1500;
/** "There is no such thing" is an answer, too. */
const answers: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);
const writes = 50;
const writeBytes = 4096;
/** A disk that is slow has shown it by then. */
const enoughMs = 2000;

export function createTools(): Tools {
  return {
    async run(command, ...args) {
      const env = { ...process.env, LC_ALL: 'C' };
      const { code, stdout } = await runToEnd(command, args, { timeoutMs: commandTimeoutMs, env });
      return { code, stdout };
    },
    space(path) {
      const { bsize, blocks, bavail, files, ffree } = statfsSync(existingPart(path));
      return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize, inodes: files, freeInodes: ffree };
    },
    async lookUp(server) {
      const resolver = new Resolver({ timeout: lookUpWithinMs, maxTimeout: lookUpWithinMs, tries: 2 });
      try {
        resolver.setServers([server]);
        await resolver.resolve4('.'); // the root, which every server that reaches others knows: it has no address
        return undefined;
      } catch (error) {
        const code = systemCode(error) ?? messageOf(error);
        return answers.has(code) ? undefined : code;
      }
    },
    fsyncTimes(dir) {
      const path = temporaryBeside(join(existingPart(dir), '.kagent-doctor'));
      const fd = createFileSync(path, 0o600);
      try {
        return measure(fd);
      } finally {
        closeSync(fd);
        rmSync(path, { force: true });
      }
    },
  };
}

/** As the datastore writes: a little at a time, each on disk before the next. */
function measure(fd: number): readonly number[] {
  const block = Buffer.alloc(writeBytes, 1);
  const times: number[] = [];
  const startedMs = performance.now();
  for (let index = 0; index < writes && performance.now() - startedMs < enoughMs; index++) {
    const beforeMs = performance.now();
    writeSync(fd, block);
    fsyncSync(fd);
    times.push(performance.now() - beforeMs);
  }
  return times;
}
