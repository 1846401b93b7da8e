import { expect, test } from 'vitest';
import { createLog, levelOf, type LogLevel } from '../../../../src/shared/log/log.ts';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

test.each(['text', 'json'] as const)('a line in %s tells its level', (format) => {
  const seen: LogLevel[] = [];
  const log = createLog({ level: 'debug', format, write: (line) => seen.push(levelOf(line)) });
  for (const level of levels) log[level]('found "level":"error" in info', { said: 'warn  or {"level":"debug"}' });
  expect(seen).toEqual(levels);
});
