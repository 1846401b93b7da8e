import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { undoKinds } from '../../../../src/host/remove/undo.ts';
import { contentHash, openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import type { Made } from '../../../../src/host/undo-log/undo-log.ts';
import { hostAt } from '../../../../src/host/service/service.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function life(...entries: readonly Made[]) {
  const undoLog = openUndoLog(join(temporaryDir(), 'journal.jsonl'));
  undoLog.record(...entries);
  const undone: string[] = [];
  const options = {
    host: hostAt('/'),
    restoreSysctl({ name }: { readonly name: string }) {
      undone.push(name);
      return {};
    },
  };
  return { undoLog, undone, undo: (...kinds: readonly Made['kind'][]) => undoKinds(undoLog, kinds, options) };
}

test('files are as they were, with their bytes and rights; those that were not there go', async () => {
  const dir = temporaryDir();
  const [made, changed, untouched] = ['made', 'changed', 'untouched'].map((name) => join(dir, name));
  if (made === undefined || changed === undefined || untouched === undefined) throw new TypeError();
  const { undo, undoLog } = life(
    { kind: 'file', path: made },
    { kind: 'file', path: changed, before: base64('old'), mode: 0o640 },
    { kind: 'file', path: untouched, before: base64('same') }, // noted, and then the power went
    { kind: 'file', path: join(dir, 'never-written') },
  );
  writeFileSync(made, 'x');
  writeFileSync(changed, 'new');
  chmodSync(changed, 0o600);
  writeFileSync(untouched, 'same');
  expect(await undo('file')).toEqual({ stayed: [], failed: [] });
  expect(existsSync(made)).toBe(false);
  expect(readFileSync(changed, 'utf8')).toBe('old');
  expect(statSync(changed).mode & 0o777).toBe(0o640);
  expect(undoLog.entries()).toEqual([]);
});

test('a file that somebody has changed since, or removed, is left to them and named', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'x');
  writeFileSync(path, 'theirs');
  const { undo } = life(
    { kind: 'file', path, after: contentHash('ours') },
    { kind: 'file', path: join(dir, 'gone'), before: base64('old') },
  );
  expect(await undo('file')).toEqual({
    stayed: [
      `${join(dir, 'gone')}: somebody has removed it since kagent wrote it`,
      `${path}: somebody has changed it since kagent wrote it`,
    ],
    failed: [],
  });
  expect(readFileSync(path, 'utf8')).toBe('theirs');
});

test('folders go the newest first, and one with something in it stays', async () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'a/b'), { recursive: true });
  mkdirSync(join(dir, 'c'));
  writeFileSync(join(dir, 'c/theirs'), '');
  const { undo } = life(
    ...['a', 'a/b', 'c', 'gone'].map((name) => ({ kind: 'folder', path: join(dir, name) }) as const),
  );
  expect(await undo('folder')).toEqual({
    stayed: [`${join(dir, 'c')}: something is in it that is not kagent's`],
    failed: [],
  });
  expect(existsSync(join(dir, 'a'))).toBe(false);
});

test('a command that fails is tried again the next time, and other kinds are left alone', async () => {
  const dir = temporaryDir();
  const flag = join(dir, 'flag');
  const { undo, undone, undoLog } = life(
    { kind: 'command', what: 'swap', undo: ['test', '-e', flag] },
    { kind: 'sysctl', name: 'net/x', before: '0', bootId: 'b' },
    { kind: 'package', name: 'nft' },
  );
  const first = await undo('command', 'sysctl');
  expect(first.failed?.join()).toMatch(/^swap stays: 'test -e .*' ended with 1/);
  expect(undone).toEqual(['net/x']);
  expect(undoLog.entries().map(({ kind }) => kind)).toEqual(['command', 'package']);
  writeFileSync(flag, '');
  expect(await undo('command')).toEqual({ stayed: [], failed: [] });
  expect((await undo('package')).stayed?.join()).toMatch(/^the package nft: /);
  expect(undoLog.entries()).toEqual([]);
});
