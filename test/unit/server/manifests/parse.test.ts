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

test.each([
  ['a: [', 1, /./],
  [`${configMap('a')}---\nkind: ConfigMap\n`, 5, /apiVersion: /],
  ['just words', 1, /no Kubernetes object/],
  [configMap('a').replace('name: a', 'label: a'), 1, /metadata\.name: /],
  [`${configMap('a')}---\n${configMap('b')}x: 1\nx: 2\n`, 9, /unique/],
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
