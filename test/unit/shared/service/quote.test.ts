import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shellDoubleQuote, shellQuote, shellWords, systemdQuote } from '../../../../src/shared/service/quote.ts';

const word = fc.string({ minLength: 1 }).filter((text) => !/[\0\n\r]/.test(text) && text.isWellFormed());

test('words quoted for a shell are read back as they were', () => {
  fc.assert(
    fc.property(fc.array(word), (words) => {
      expect(shellWords(words.map(shellQuote).join(' '))).toEqual(words);
    }),
  );
});

test('a real shell sees the words that were quoted', () => {
  const words = ['plain', 'with space', "it's", '$HOME', '`id`', 'back\\slash', '"double"', '*', 'a=b', 'ü'];
  const script = `printf '%s\\n' ${words.map(shellQuote).join(' ')}`;
  expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n')).toEqual(words);
  const nested = `line=${shellDoubleQuote(words.map(shellQuote).join(' '))}; eval "printf '%s\\n' $line"`;
  expect(execFileSync('sh', ['-c', nested], { encoding: 'utf8' }).trimEnd().split('\n')).toEqual(words);
});

test("systemd's own characters are doubled, and a word with a space is in quotes", () => {
  expect(systemdQuote('--node-name=a')).toBe('--node-name=a');
  expect(systemdQuote('100%')).toBe('100%%');
  expect(systemdQuote('$HOME')).toBe('$$HOME');
  expect(systemdQuote('say "a b"\\')).toBe(String.raw`"say \"a b\"\\"`);
});
