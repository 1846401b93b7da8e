import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isExactNumber, jsonIfValid, jsonInteger, parseJson } from '../../../../src/shared/json/json.ts';

test('an integer of 64 bits is written as it was read', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (integer) => {
      const text = `{"a":[${integer}],"b":"x"}`;
      expect(JSON.stringify(parseJson(text))).toBe(text);
      expect(JSON.stringify({ ...(parseJson(text) as object) })).toBe(text);
      expect(JSON.stringify(jsonInteger(integer))).toBe(String(integer));
    }),
  );
});

test('every other document is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
  expect(() => parseJson('{"a":')).toThrow(SyntaxError);
});

test.each([
  ['18446744073709551615', '18446744073709552000'], // as kube-apiserver has it: no integer of 64 bits
  ['1e400', '1e400'], // not null
  ['1.50', '1.5'],
  ['-0', '0'],
  ['12345678901234567890e-3', '12345678901234568'],
])('%s is passed on as %s', (read, written) => {
  expect(JSON.stringify(parseJson(`[${read}]`))).toBe(`[${written}]`);
});

test('a number that only its digits hold is told from an object', () => {
  const [exact, object, number] = parseJson('[9223372036854775807,{},1]') as readonly unknown[];
  expect([exact, object, number].map(isExactNumber)).toEqual([true, false, false]);
});

test('what is not JSON is nothing', () => {
  expect([jsonIfValid('{"a":1}'), jsonIfValid('{"a":')]).toEqual([{ a: 1 }, undefined]);
});
