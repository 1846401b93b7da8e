import { expect, test } from 'vitest';
import { createApplier } from '../../../../src/server/manifests/apply.ts';
import { objectsOf } from '../../../../src/server/manifests/parse.ts';
import { KubeError } from '../../../../src/kube/kube.ts';
import { fakeKube } from '../../../helpers/fake-kube.ts';
import type { FakeKube } from '../../../helpers/fake-kube.ts';

const signal = new AbortController().signal;
const configMap = (name: string, rest = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${rest}`;
const toy = 'apiVersion: example.com/v1\nkind: Toy\nmetadata: {name: t}\n';
const apply = async (kube: FakeKube, text: string, applier = createApplier(kube)) =>
  await applier.apply(await objectsOf(text), signal);

test('each document goes to the place of its kind', async () => {
  const kube = fakeKube();
  const text = `# first\n${configMap('a')}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\n${configMap('b').replace('{name: b}', '{name: b, namespace: ns}')}`;
  const { applied } = await apply(kube, text);
  expect(kube.applied.map(({ path }) => path)).toEqual([
    '/api/v1/namespaces/ns', // before what lives in it
    '/api/v1/namespaces/default/configmaps/a',
    '/api/v1/namespaces/ns/configmaps/b',
  ]);
  expect(applied.map(({ path, uid }) => [path, uid])).toEqual([...kube.present]);
});

test('only an annotation of its own says that an object goes with its file', async () => {
  const annotated = (value: string) => configMap('a').replace('}', `, annotations: {kagent.sh/prune: ${value}}}`);
  const { applied } = await apply(
    fakeKube(),
    [annotated('"true"'), annotated('"false"'), configMap('b')].join('---\n'),
  );
  expect(applied.map(({ prune }) => prune)).toEqual([true, false, undefined]);
});

test('what kubectl writes of an object that is there is left out', async () => {
  const kube = fakeKube();
  const state =
    'uid: u, resourceVersion: "5", generation: 2, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: []';
  await apply(kube, configMap('a', 'status: {phase: Active}\n').replace('}', `, labels: {a: b}, ${state}}`));
  expect(kube.applied[0]?.object).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', labels: { a: 'b' } },
  });
});

test('what is refused is named with its line, and keeps no other away', async () => {
  const kube = fakeKube();
  kube.failures.push(new KubeError('PATCH /x', 422, 'data.a: Invalid value'));
  const { failures } = await apply(kube, [toy, configMap('a'), configMap('b')].join('---\n'));
  expect(failures.map(({ message }) => message)).toEqual([
    'line 1: Toy t: the cluster knows no Toy in example.com/v1; check both, or apply its CustomResourceDefinition first',
    'line 5: ConfigMap a: data.a: Invalid value',
  ]);
  expect(kube.applied.map(({ path }) => path.at(-1))).toEqual(['b']);
});

test('a kind of a group that has another name now is told with that', async () => {
  const old = 'apiVersion: traefik.containo.us/v1alpha1\nkind: IngressRoute\nmetadata: {name: web}\n';
  const { failures } = await apply(fakeKube(), old);
  expect(failures[0]?.message).toContain('its kinds are in traefik.io/v1alpha1 now');
});

test('where kube-apiserver is not reached nothing more is tried', async () => {
  const kube = fakeKube();
  kube.failures.push(new Error('connect ECONNREFUSED'));
  await expect(apply(kube, `${configMap('a')}---\n${configMap('b')}`)).rejects.toThrow('ECONNREFUSED');
  expect(kube.applied).toEqual([]);
});

test('a field that somebody else has set is taken over, and that is told', async () => {
  const kube = fakeKube();
  kube.owned.add('/api/v1/namespaces/default/configmaps/a');
  const { takenOver, failures } = await apply(kube, `${configMap('a')}---\n${configMap('b')}`);
  expect(failures).toEqual([]);
  expect(takenOver).toEqual(['line 1: ConfigMap a: conflict with "kubectl-edit"']);
  expect(kube.applied).toHaveLength(2);
});

test('a kind that comes into being later is found then', async () => {
  const kube = fakeKube();
  const applier = createApplier(kube);
  expect((await apply(kube, toy, applier)).failures).toHaveLength(1);
  kube.resources.set('/apis/example.com/v1', [{ name: 'toys', kind: 'Toy', namespaced: true }]);
  await apply(kube, toy, applier);
  expect(kube.applied[0]?.path).toBe('/apis/example.com/v1/namespaces/default/toys/t');
});

test('an object waits for the definition of its kind in the same file', async () => {
  const kube = fakeKube();
  kube.resources.set('/apis/apiextensions.k8s.io/v1', [
    { name: 'customresourcedefinitions', kind: 'CustomResourceDefinition', namespaced: false },
  ]);
  const definition = `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: toys.example.com}\nspec: {group: example.com, names: {kind: Toy}}\n`;
  const applied = apply(kube, `${toy}---\n${definition}`);
  setTimeout(() => kube.resources.set('/apis/example.com/v1', [{ name: 'toys', kind: 'Toy', namespaced: true }]), 50);
  expect((await applied).failures).toEqual([]);
  expect(kube.applied.map(({ path }) => path.split('/').at(-1))).toEqual(['toys.example.com', 't']);
});

test.each(['namespace:', 'namespace: ""', 'namespace: ~'])('%s is none, as for kubectl', async (written) => {
  const kube = fakeKube();
  await apply(kube, `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  ${written}\n`);
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  expect(kube.applied).toMatchObject([{ path: '/api/v1/namespaces/default/configmaps/a', object }]);
  expect(JSON.stringify(kube.applied[0]?.object)).not.toContain('namespace');
});
