import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { isAsShown, typedIn } from '../../helpers/console.ts';

const docs = resolve(import.meta.dirname, '../../../docs');

test('a block gives each command with all that is shown below it', () => {
  const text =
    '```console\n$ sudo kagent node ls\nNAME   STATUS\n\na1     Ready\n$ sudo rm x\n```\n\n```\n$ not this\n```\n';
  expect(typedIn(text)).toEqual([
    { command: 'kagent node ls', shown: ['NAME STATUS', 'a1 Ready'] },
    { command: 'rm x', shown: [] },
  ]);
});

test('all that is printed has to be shown, in its order; columns may have other widths', () => {
  const output = 'NAME        STATUS   AGE\na1          Ready    4m\ns1          Ready    20m\n';
  expect(isAsShown(['NAME STATUS AGE', 'a1 Ready 4m', 's1 Ready 20m'], output)).toBe(true);
  expect(isAsShown(['NAME STATUS AGE', 'a1 Ready 4m'], output)).toBe(false);
  expect(isAsShown(['NAME STATUS AGE', 's1 Ready 20m', 'a1 Ready 4m'], output)).toBe(false);
  expect(isAsShown(['NAME STATUS'], output)).toBe(false);
});

test('where nothing is shown nothing may be printed', () => {
  expect(isAsShown([], '')).toBe(true);
  expect(isAsShown([], 'error: it did not work\n')).toBe(false);
});

test('an ellipsis stands for a part of a line, or alone for any lines', () => {
  expect(isAsShown(['NAME AGE', 'a1 …', '…'], 'NAME   AGE\na1     4m\n')).toBe(true);
  expect(isAsShown(['NAME AGE', 'a1 …', '…'], 'NAME   AGE\na1     4m\nb1     5m\nc1     6m\n')).toBe(true);
  expect(isAsShown(['…', 'done'], 'done\n')).toBe(true);
  expect(isAsShown(['…', 'done'], 'failed\n')).toBe(false);
  expect(isAsShown(['pod/hello-… 1/1 Running'], 'pod/hello-x\n1/1 Running\n')).toBe(false);
});

test.each(['quick-start.md', 'operations.md'])('%s shows what each command prints', (file) => {
  const typed = typedIn(readFileSync(resolve(docs, file), 'utf8'));
  const silent = typed.filter(({ shown }) => shown.length === 0).map(({ command }) => command);
  expect(typed.length).toBeGreaterThan(8);
  expect(silent.filter((command) => !command.startsWith('rm '))).toEqual([]);
});
