/**
 * @module
 * What kagent made or changed on this box outside its data dir: noted before it is done, so that removing kagent can
 * undo it, the newest first.
 * Knows: the file's form. Leaves to others: doing, and undoing (agent/remove).
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { readFileIfExists } from '../files/files.ts';

export const Made = z.discriminatedUnion('kind', [
  /** Written. `before`: what was there, in base64; without it the file goes. */
  z.object({ kind: z.literal('file'), path: z.string(), before: z.string().optional(), mode: z.int().optional() }),
  /** Made; it goes when nothing of somebody else's is in it. */
  z.object({ kind: z.literal('folder'), path: z.string() }),
  /** `net/ipv4/ip_forward`: a reboot undoes it as well, so it belongs to one boot. */
  z.object({ kind: z.literal('sysctl'), name: z.string(), before: z.string(), bootId: z.string() }),
  /** Done by another program, and undone by this command. */
  z.object({ kind: z.literal('command'), what: z.string(), undo: z.array(z.string()).min(1) }),
]);
export type Made = Readonly<z.infer<typeof Made>>;

export interface Journal {
  /** On disk before it returns. The same thing twice is noted once: the first `before` is the true one. */
  record(made: Made): void;
  /** Oldest first. */
  entries(): readonly Made[];
}

export function openJournal(path: string): Journal {
  const noted = new Map(readEntries(path).map((made) => [keyOf(made), made]));
  return {
    record(made) {
      if (noted.has(keyOf(made))) return;
      append(path, `${JSON.stringify(made)}\n`);
      noted.set(keyOf(made), made);
    },
    entries: () => [...noted.values()],
  };
}

function keyOf(made: Made): string {
  if (made.kind === 'sysctl') return `sysctl ${made.name} ${made.bootId}`;
  return made.kind === 'command' ? `command ${made.undo.join('\0')}` : `${made.kind} ${made.path}`;
}

/** A line that a power cut has torn is of something that was not done. */
function readEntries(path: string): readonly Made[] {
  const lines = (readFileIfExists(path) ?? '').split('\n');
  return lines.flatMap((line) => {
    const parsed = Made.safeParse(jsonOf(line));
    return parsed.success ? [parsed.data] : [];
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function append(path: string, line: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const isTorn = /[^\n]$/.test(readFileIfExists(path) ?? '');
  const fd = openSync(path, 'a', 0o600);
  try {
    writeSync(fd, isTorn ? `\n${line}` : line);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
