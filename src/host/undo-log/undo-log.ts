/**
 * @module
 * What kagent made or changed on this box outside its data dir: noted before it is done, so that removing kagent can
 * undo it, the newest first.
 * Knows: the file's form. Leaves to others: doing, and undoing (host/remove).
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { nameFile } from '../../shared/errors.ts';
import { makeFolder, readBytes, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import { undoLogName } from '../../shared/paths.ts';
import { jsonIfValid } from '../../shared/json/json.ts';

export const Made = z.discriminatedUnion('kind', [
  /**
   * Written. `before`: what was there, in base64; without it the file goes. `after`: `contentHash` of what is written;
   * with it, a file that somebody has changed since is left to them.
   */
  z.object({
    kind: z.literal('file'),
    path: z.string(),
    before: z.string().optional(),
    mode: z.int().optional(),
    after: z.string().optional(),
  }),
  /** Made; it goes when nothing of somebody else's is in it. */
  z.object({ kind: z.literal('folder'), path: z.string() }),
  /** A folder by custom kagent's own, which goes with all in it but for the names that were there before. */
  z.object({ kind: z.literal('claim'), path: z.string(), before: z.array(z.string()).optional() }),
  /**
   * `net/ipv4/ip_forward`: a reboot undoes it as well, so it belongs to one boot. `after`: what kagent sets; with it, a
   * value that somebody has changed since is left to them.
   */
  z.object({
    kind: z.literal('sysctl'),
    name: z.string(),
    before: z.string(),
    after: z.string().optional(),
    bootId: z.string(),
  }),
  /** Installed by the box's package manager. It stays, and is named. */
  z.object({ kind: z.literal('package'), name: z.string() }),
  /** Done by another program, and undone by this command. */
  z.object({ kind: z.literal('command'), what: z.string(), undo: z.array(z.string()).min(1) }),
]);
export type Made = Readonly<z.infer<typeof Made>>;

export interface UndoLog {
  /** On disk before it returns. The same thing twice is noted once: the first `before` is the true one. */
  record(...made: readonly Made[]): void;
  /** Oldest first. */
  entries(): readonly Made[];
  /** What was undone is forgotten. */
  keepOnly(entries: readonly Made[]): void;
}

/** The form of one kind: `MadeOf<'sysctl'>`. */
export type MadeOf<Kind extends Made['kind']> = Extract<Made, { readonly kind: Kind }>;

/** What became of undoing something, in sentences; neither means that it is undone. */
export interface Undone {
  /** With good reason: somebody has changed it, or it is of use to others. */
  readonly stayed?: readonly string[];
  /** Should be undone and is not. */
  readonly failed?: readonly string[];
}

export function openUndoLog(path: string): UndoLog {
  let noted = new Map(readEntries(path).map((made) => [keyOf(made), made]));
  return {
    record(...made) {
      const fresh = made.filter((one, index) => {
        const isFirst = made.findIndex((other) => keyOf(other) === keyOf(one)) === index;
        return isFirst && !noted.has(keyOf(one));
      });
      if (fresh.length === 0) return;
      append(path, linesOf(fresh));
      for (const one of fresh) noted.set(keyOf(one), one);
    },
    entries: () => [...noted.values()],
    keepOnly(entries) {
      noted = new Map(entries.map((made) => [keyOf(made), made]));
      if (entries.length > 0) writeFileAtomicSync(path, linesOf(entries), 0o600);
      else rmSync(path, { force: true });
    },
  };
}

/** Of a folder that is going to be kagent's, as it is now. One with nothing but an undo log was made for that. */
export function claimOf(path: string): MadeOf<'claim'> {
  const before =
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(path).toSorted() : undefined;
  const isLogs = before?.length === 1 && before[0] === undoLogName;
  return before === undefined || isLogs ? { kind: 'claim', path } : { kind: 'claim', path, before };
}

/** Of a file that is going to be written outside kagent's folders, again and again: what was there, and what has to be made. */
export function noteOfFile(path: string): readonly Made[] {
  if (!existsSync(path)) return [...missingAbove(path), { kind: 'file', path }];
  const stat = statSync(path);
  if (!stat.isFile()) return []; // whatever it is, no file of ours gets its place
  return [{ kind: 'file', path, before: readBytes(path).toString('base64'), mode: stat.mode & 0o7777 }];
}

/** The folders that have to be made before `path` can be, the outermost first. */
export function missingAbove(path: string): readonly MadeOf<'folder'>[] {
  const above = dirname(path);
  return existsSync(above) ? [] : [...missingAbove(above), { kind: 'folder', path: above }];
}

export function contentHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function keyOf(made: Made): string {
  switch (made.kind) {
    case 'sysctl':
      return `sysctl ${made.name} ${made.bootId}`;
    case 'command':
      return `command ${made.undo.join('\0')}`;
    case 'package':
      return `package ${made.name}`;
    case 'file':
    case 'folder':
    case 'claim':
      return `${made.kind} ${made.path}`;
  }
}

function linesOf(entries: readonly Made[]): string {
  return entries.map((made) => `${JSON.stringify(made)}\n`).join('');
}

/** A line that a power cut has torn is of something that was not done. */
function readEntries(path: string): readonly Made[] {
  const lines = (readFileIfExists(path) ?? '').split('\n');
  return lines.flatMap((line) => {
    const parsed = Made.safeParse(jsonIfValid(line));
    return parsed.success ? [parsed.data] : [];
  });
}

function append(path: string, lines: string): void {
  makeFolder(dirname(path), 0o755);
  const isTorn = /[^\n]$/.test(readFileIfExists(path) ?? '');
  const fd = openSync(path, 'a', 0o600);
  try {
    writeFileSync(fd, isTorn ? `\n${lines}` : lines); // all of it, however much the disk takes at once
    fsyncSync(fd);
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    closeSync(fd);
  }
}
