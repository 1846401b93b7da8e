import { expect, test } from 'vitest';
import { createLog, levelOf } from '../../../../src/shared/log/log.ts';
import type { LogLevel } from '../../../../src/shared/log/log.ts';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

test.each(['text', 'json'] as const)('a line in %s tells its level', (format) => {
  const seen: LogLevel[] = [];
  const log = createLog({ level: 'debug', format, write: (line) => seen.push(levelOf(line)) });
  for (const level of levels) log[level]('found "level":"error" in info', { said: 'warn  or {"level":"debug"}' });
  expect(seen).toEqual(levels);
});

test.each(['text', 'json'] as const)(
  'nothing in a line of %s acts on a terminal, nor is it longer than a page',
  (format) => {
    const lines: string[] = [];
    const log = createLog({ level: 'debug', format, write: (line) => lines.push(line) });
    const said = '\u001b[2J\u009b1mowned\u202e';
    log.warn('a node said', { said, error: new Error(said), listed: [said] });
    log.warn('a node said much', { said: 'a'.repeat(4 * 1024 * 1024), error: new Error('b'.repeat(4 * 1024 * 1024)) });
    expect(lines[0]?.trimEnd()).toMatch(/^[\u0020-\u007e]+$/);
    expect(lines[0]).toContain('u001b[2J');
    expect(lines[1]?.length).toBeLessThan(20_000);
  },
);

test('a cleaned line of JSON says what it said before', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
  log.warn('a node said', { said: '\u001b[2J\u009b1m' });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ said: '\u001b[2J\u009b1m' }]);
});
