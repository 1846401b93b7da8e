import { expect, test } from 'vitest';
import { ManifestInvalidError } from '../../../../src/server/manifests/manifests.ts';
import { objectsOf } from '../../../../src/server/manifests/parse.ts';

const configMap = (name: string, rest = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${rest}`;
const namesOf = async (text: string) => (await objectsOf(text)).map(({ object }) => object.metadata.name);

test('each object has the line of the file at which its document begins', async () => {
  const text = `# words\n\n${configMap('a')}--- # more\n${configMap('b')}---\n---\n\n${configMap('c')}...\n`;
  expect((await objectsOf(text)).map(({ object, line }) => [object.metadata.name, line])).toEqual([
    ['a', 3],
    ['b', 7],
    ['c', 13],
  ]);
});

test('a List is its items, an empty document is nothing, JSON is YAML', async () => {
  const item = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  const list = await objectsOf(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }));
  expect(list).toEqual([{ object: item, line: 1 }]);
  expect(await objectsOf('---\n# only words\n---\n')).toEqual([]);
  expect(await objectsOf('')).toEqual([]);
});

test('values are read as kubectl reads them, and dashes in a text part nothing', async () => {
  const text = configMap('a', 'mode: 0644\nflag: yes\ntext: "yes"\nlines: |\n  ---\n  --- b\n');
  const [only] = await objectsOf(text);
  expect(only?.object).toMatchObject({ mode: 420, flag: true, text: 'yes', lines: '---\n--- b\n' });
});

const dataOf = async (text: string) => JSON.stringify((await objectsOf(text)).map(({ object }) => object['data']));

test.each([
  ['1234567890123456789', '1234567890123456789'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['18446744073709551616', '18446744073709552000'],
  ['2024-01-01', '"2024-01-01"'],
  ['12:30', '"12:30"'],
  ['12e4567', '"12e4567"'],
  ['0o640', '416'],
  ['00112233445566', '9972894582'],
  ['0x_1F', '31'],
  ['.1_0', '0.1'],
  ['y', 'true'],
  ['~', 'null'],
  ['!!str 12', '"12"'],
  ['!!binary /w==', '"\uFFFD"'],
])('%s in a manifest is %s, as for kubectl', async (written, value) => {
  expect(await dataOf(configMap('a', `data:\n  d: ${written}\n`))).toBe(`[{"d":${value}}]`);
});

test.each([
  ['1e10', '1e+10'],
  ['0x1F', '31'],
  ['on', 'true'],
  ['2024-01-01', '2024-01-01'],
  ['"1e10"', '1e10'],
  ['__proto__', '__proto__'],
])('the key %s is %s, as for kubectl', async (written, key) => {
  expect(await dataOf(configMap('a', `data:\n  ${written}: v\n`))).toBe(`[{"${key}":"v"}]`);
});

test('of a key that stands there twice the last one counts, and a merge replaces what stands above it', async () => {
  const twice = 'data:\n  x: 1\n  x: 2\n  b: &b {m: 1}\n  c:\n    m: 0\n    <<: *b\n';
  expect(await dataOf(configMap('a', twice))).toBe('[{"x":2,"b":{"m":1},"c":{"m":1}}]');
});

test('hundreds of aliases are fine', async () => {
  const text = configMap('a', `data:\n  m: &m [1]\n  l:\n${'  - *m\n'.repeat(300)}`);
  expect(await dataOf(text)).toContain(`"l":[${Array(300).fill('[1]').join(',')}]`);
});

test('objects of JSON may follow each other, with the mark that Windows writes first', async () => {
  const one = (name: string) =>
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{"n":9223372036854775807,"t":"}{"}}`;
  const text = `\uFEFF${one('a')}${one('b')}\r\n${one('c')}\n`;
  expect((await objectsOf(text)).map(({ object, line }) => [object.metadata.name, line])).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ]);
  expect(await dataOf(text)).toContain('{"n":9223372036854775807,"t":"}{"}');
  expect(await namesOf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: d}}\n`)).toEqual(['d']);
});

test.each([
  ['a: [', 1, /./],
  [`${configMap('a')}---\nkind: ConfigMap\n`, 5, /apiVersion: /],
  ['just words', 1, /no Kubernetes object/],
  [configMap('a').replace('name: a', 'label: a'), 1, /metadata\.name: /],
  [`${configMap('a')}---\n${configMap('b')}x: .inf\n`, 5, /no number Infinity/],
  [`${configMap('a')}x:\n  ? [a]\n  : 1\n`, 5, /a key is a list or an object/],
  [`${configMap('a')}x: !!int a\n`, 4, /'a' is no !!int/],
])('%j is refused with its line and the reason', async (text, line, reason) => {
  const failure = objectsOf(text);
  await expect(failure).rejects.toThrow(ManifestInvalidError);
  await expect(failure).rejects.toThrow(reason);
  await expect(failure).rejects.toThrow(new RegExp(`^line ${line}: [^\\n]+$`));
});

test('a file of many documents keeps nobody waiting for long', async () => {
  const document = (index: number) =>
    configMap(
      `c${index}`,
      `data:\n${Array.from({ length: 30 }, (_, key) => `  k${key}: value of some length\n`).join('')}`,
    );
  const text = Array.from({ length: 400 }, (_, index) => document(index)).join('---\n');
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  expect(await namesOf(text)).toHaveLength(400);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(100);
});
