import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Paths } from '../shared/paths.ts';
import type { Part } from './parts.ts';
import { outputOf } from './output.ts';

export interface LogOptions {
  readonly paths: Paths;
  /** Files that were last written before are left out; RFC 3339 for journalctl. */
  readonly sinceMs: number;
  /** Of each file its end. */
  readonly maxPartBytes: number;
  readonly timeoutMs: number;
}

/** kagent's and its children's, the newest first, so that what does not fit is the oldest. */
export function logParts({ paths, sinceMs, maxPartBytes, timeoutMs }: LogOptions): readonly Part[] {
  const files = [...logsIn(paths.logs), ...logsIn('/var/log').filter((path) => basename(path).startsWith('kagent'))];
  const recent = files
    .map((path) => ({ path, changedMs: statSync(path).mtimeMs }))
    .filter(({ changedMs }) => changedMs >= sinceMs)
    .toSorted((a, b) => b.changedMs - a.changedMs);
  const journal: Part = {
    name: 'logs/journal.txt',
    read: () =>
      outputOf(
        {
          command: 'journalctl',
          args: ['--unit=kagent*', '--no-pager', '--lines=50000', `--since=@${Math.round(sinceMs / 1000)}`],
        },
        { timeoutMs, maxBytes: maxPartBytes },
      ),
  };
  return [
    ...recent.map(({ path }) => ({ name: `logs/${basename(path)}`, read: () => tail(path, maxPartBytes) })),
    journal,
  ];
}

function logsIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => /\.log(\.\d+)?$/.test(name))
      .map((name) => join(dir, name));
  } catch {
    return []; // there is no such folder
  }
}

/** The last whole lines. */
function tail(path: string, maxBytes: number): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - maxBytes);
    const bytes = Buffer.alloc(size - from);
    const count = readSync(fd, bytes, 0, bytes.length, from);
    const text = bytes.subarray(0, count).toString('utf8');
    return from === 0 ? text : `(${from} bytes before this are left out)\n${text.slice(text.indexOf('\n') + 1)}`;
  } finally {
    closeSync(fd);
  }
}
