import { expect, test } from 'vitest';
import { lastLines, plainLine, plainText } from '../../../../src/shared/plain-text/plain-text.ts';

test.each([
  ['\u001b]0;owned\u0007', '\\u001b]0;owned\\u0007'],
  ['\u009b2J', '\\u009b2J'],
  ['ok\rgone', 'ok\\u000dgone'],
  ['a\u202Egnp.exe', 'a\\u202egnp.exe'],
  ['\u2066x\u2069\u2028', '\\u2066x\\u2069\\u2028'],
  ['\uD800', '\\ud800'],
  ['\u007f\u0000', '\\u007f\\u0000'],
])('what acts on a terminal is shown instead: %j', (text, shown) => {
  expect(plainText(text)).toBe(shown);
});

test('letters of every language, newlines and tabs stay as they are', () => {
  const text = 'zażółć 漢字 עברית 👩‍🚀\n\tok';
  expect(plainText(text)).toBe(text);
});

test('a line stays one', () => {
  expect(plainLine('a\r\nb\tc')).toBe('a b c');
});

test('the last lines of a text are those with something in them at its end', () => {
  expect(lastLines('a\nb\nc\n\n', 2)).toBe('b\nc');
  expect(lastLines('a', 2)).toBe('a');
});
