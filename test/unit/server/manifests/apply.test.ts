import { expect, test } from 'vitest';
import { createApplier } from '../../../../src/server/manifests/apply.ts';
import { ManifestInvalidError, UnknownKindError } from '../../../../src/server/manifests/manifests.ts';
import { fakeKube } from '../../../helpers/fake-kube.ts';

const signal = new AbortController().signal;
const configMap = (name: string, rest = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${rest}`;

test('each document goes to the place of its kind', async () => {
  const kube = fakeKube();
  const text = `# first\n${configMap('a')}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\n${configMap('b').replace('{name: b}', '{name: b, namespace: ns}')}`;
  await createApplier(kube).apply(text, signal);
  expect(kube.applied.map(({ path }) => path)).toEqual([
    '/api/v1/namespaces/ns', // before what lives in it
    '/api/v1/namespaces/default/configmaps/a',
    '/api/v1/namespaces/ns/configmaps/b',
  ]);
});

test('a List is its items, an empty document is nothing, JSON is YAML', async () => {
  const kube = fakeKube();
  const item = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  await createApplier(kube).apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }), signal);
  await createApplier(kube).apply('---\n# only words\n---\n', signal);
  expect(kube.applied.map(({ object }) => object)).toEqual([item]);
});

test('values are read as kubectl reads them', async () => {
  const kube = fakeKube();
  await createApplier(kube).apply(configMap('a', 'mode: 0644\nflag: yes\ntext: "yes"\n'), signal);
  expect(kube.applied[0]?.object).toMatchObject({ mode: 420, flag: true, text: 'yes' });
});

test.each(['a: [', 'kind: ConfigMap\n', 'just words', configMap('a').replace('name: a', 'label: a')])(
  '%j is refused with a reason, and nothing is sent',
  async (text) => {
    const kube = fakeKube();
    await expect(createApplier(kube).apply(text, signal)).rejects.toThrow(ManifestInvalidError);
    expect(kube.applied).toEqual([]);
  },
);

test('one unknown kind does not keep the others away', async () => {
  const kube = fakeKube();
  const text = `apiVersion: example.com/v1\nkind: Toy\nmetadata: {name: t}\n---\n${configMap('a')}`;
  await expect(createApplier(kube).apply(text, signal)).rejects.toThrow(UnknownKindError);
  expect(kube.applied).toHaveLength(1);
});

test('a kind that comes into being later is found then', async () => {
  const kube = fakeKube();
  const applier = createApplier(kube);
  const toy = 'apiVersion: example.com/v1\nkind: Toy\nmetadata: {name: t}\n';
  await expect(applier.apply(toy, signal)).rejects.toThrow(UnknownKindError);
  kube.resources.set('/apis/example.com/v1', [{ name: 'toys', kind: 'Toy', namespaced: true }]);
  await applier.apply(toy, signal);
  expect(kube.applied[0]?.path).toBe('/apis/example.com/v1/namespaces/default/toys/t');
});
