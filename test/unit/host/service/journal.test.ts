import { fstatSync } from 'node:fs';
import { expect, test } from 'vitest';
import { journalPrefix } from '../../../../src/host/service/service.ts';

test('a line for the journal begins with its priority, as syslog counts', () => {
  const { dev, ino } = fstatSync(process.stderr.fd);
  const env = { JOURNAL_STREAM: `${dev}:${ino}` };
  expect((['error', 'warn', 'info', 'debug'] as const).map((level) => journalPrefix(level, env))).toEqual([
    '<3>',
    '<4>',
    '<6>',
    '<7>',
  ]);
});

test('a line for anything else does not, though a service further up writes to the journal', () => {
  expect(journalPrefix('error', {})).toBe('');
  expect(journalPrefix('error', { JOURNAL_STREAM: '8:1' })).toBe('');
});
