import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { claimOf, missingAbove, noteOfFile, openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kagent-undoLog-'));
  path = pathsOf(join(dir, 'data')).undoLog;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('what was noted is there after a restart, oldest first, for root alone', () => {
  openUndoLog(path).record({ kind: 'folder', path: '/a' });
  openUndoLog(path).record({ kind: 'command', what: 'swap', undo: ['swapon', '-a'] });
  expect(openUndoLog(path).entries()).toEqual([
    { kind: 'folder', path: '/a' },
    { kind: 'command', what: 'swap', undo: ['swapon', '-a'] },
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('the first note of a thing stays: what was there before kagent is told once', () => {
  const undoLog = openUndoLog(path);
  undoLog.record({ kind: 'file', path: '/etc/x', before: 'b2xk', mode: 0o644 });
  undoLog.record({ kind: 'file', path: '/etc/x', before: 'b3Vycw==', mode: 0o644 });
  expect(openUndoLog(path).entries()).toEqual([{ kind: 'file', path: '/etc/x', before: 'b2xk', mode: 0o644 }]);
});

test('a line torn by a power cut costs nothing but itself', () => {
  openUndoLog(path).record({ kind: 'folder', path: '/a' });
  appendFileSync(path, '{"kind":"fol');
  openUndoLog(path).record({ kind: 'folder', path: '/b' });
  expect(openUndoLog(path).entries()).toEqual([
    { kind: 'folder', path: '/a' },
    { kind: 'folder', path: '/b' },
  ]);
});

test('several things are noted at once, and what was undone is forgotten', () => {
  const [a, b] = [
    { kind: 'folder', path: '/a' },
    { kind: 'package', name: 'nft' },
  ] as const;
  const undoLog = openUndoLog(path);
  undoLog.record(a, b, a);
  undoLog.keepOnly([b]);
  expect(openUndoLog(path).entries()).toEqual([b]);
  undoLog.keepOnly([]);
  expect(existsSync(path)).toBe(false);
});

test('a claim says what was in a folder, and whether there was one', () => {
  mkdirSync(join(dir, 'used'));
  appendFileSync(join(dir, 'used', 'file'), '');
  expect(claimOf(join(dir, 'used'))).toEqual({ kind: 'claim', path: join(dir, 'used'), before: ['file'] });
  openUndoLog(path).record({ kind: 'folder', path: '/a' });
  expect(claimOf(join(dir, 'data'))).toEqual({ kind: 'claim', path: join(dir, 'data') }); // made for the undo log
  expect(claimOf(join(dir, 'missing'))).toEqual({ kind: 'claim', path: join(dir, 'missing') });
});

test('of the folders to be made, those above that are missing are told, the outermost first', () => {
  const kinds = missingAbove(join(dir, 'a/b/data')).map((made) => made.path);
  expect(kinds).toEqual([join(dir, 'a'), join(dir, 'a/b')]);
});

test('of a file that is going to be written, what was there is noted, with its rights', () => {
  const file = join(dir, 'kubeconfig');
  expect(noteOfFile(join(dir, 'a/kubeconfig'))).toEqual([
    { kind: 'folder', path: join(dir, 'a') },
    { kind: 'file', path: join(dir, 'a/kubeconfig') },
  ]);
  writeFileSync(file, 'mine', { mode: 0o640 });
  expect(noteOfFile(file)).toEqual([{ kind: 'file', path: file, before: 'bWluZQ==', mode: 0o640 }]);
});

test('a file where a folder is claimed, and a folder where a file is noted, are nobody’s to keep', () => {
  writeFileSync(join(dir, 'file'), '');
  mkdirSync(join(dir, 'folder'));
  expect(claimOf(join(dir, 'file'))).toEqual({ kind: 'claim', path: join(dir, 'file') });
  expect(noteOfFile(join(dir, 'folder'))).toEqual([]);
});
