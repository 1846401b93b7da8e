/** What is in server/manifests is in the cluster, and what goes from there goes, where it says so. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { endKagent, needs, restartServer } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { theBox } from '../one-server.ts';

const dir = '/var/lib/kagent/server/manifests';
let box: Box;

beforeAll(async () => {
  box = theBox();
  needs(!existsSync(box.path(dir)), 'a box on which no server has run');
  await box.sh(`mkdir -p ${dir}`);
  await put('before.yaml', configMap('before'));
  await box.startServer();
});

const annotation = '{kagent.sh/prune: "true"}';
function configMap(name: string, { namespace = 'default', prune = false, value = 'a' } = {}): string {
  const annotations = prune ? `, annotations: ${annotation}` : '';
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}${annotations}}\ndata: {a: ${value}}\n`;
}
const put = (name: string, text: string) => box.sh(`cat >${dir}/${name} <<'END'\n${text}\nEND`);
const exists = async (...what: readonly string[]) => (await box.tryKubectl('get', ...what)).code === 0;
const until = (...what: readonly string[]) =>
  eventually(() => exists(...what), { withinMs: 60_000, what: what.join(' ') });
const untilGone = (...what: readonly string[]) =>
  eventually(async () => (await box.tryKubectl('get', ...what)).stderr.includes('NotFound'), {
    withinMs: 60_000,
    what: `no ${what.join(' ')}`,
  });
const condition = async () => {
  const { components } = await box.status();
  return components.find(({ name }) => name === 'manifests')?.condition;
};
const events = () => box.kubectl('get', 'events', '-n', 'kube-system');

test('a file that was there before the first start is applied', async () => {
  await until('configmap', 'before');
  expect((await condition())?.status).toBe('True');
});

test('a definition and an object of its kind, a namespace and what lives in it: one file is enough', async () => {
  const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: toys.example.com, annotations: ${annotation}}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Toy, plural: toys, singular: toy}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}`;
  const toy = `apiVersion: example.com/v1\nkind: Toy\nmetadata: {name: bear, namespace: shop, annotations: ${annotation}}`;
  const namespace = `apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: ${annotation}}`;
  await box.sh(`mkdir ${dir}/shop`);
  await put('shop/all.yaml', [toy, configMap('c', { namespace: 'shop' }), namespace, definition].join('\n---\n'));
  await until('toy', 'bear', '-n', 'shop');
  await until('configmap', 'c', '-n', 'shop');
  await eventually(async () => /Normal +ManifestApplied +manifest\/shop\/all.yaml +4 objects/.test(await events()));
  expect(await events()).not.toContain('ManifestNotApplied');
  await box.sh(`rm -r ${dir}/shop`);
  await untilGone('crd', 'toys.example.com');
  await untilGone('namespace', 'shop');
});

test('a refusal is told with its line where people look, and ends when the file is corrected', async () => {
  await put('wrong.yaml', `${configMap('fine')}---\n\n${configMap('Not_A_Name')}`);
  await until('configmap', 'fine');
  const failed = await eventually(async () => {
    const now = await condition();
    return now?.status === 'False' && now;
  });
  expect(failed.message).toMatch(/^wrong\.yaml: line 7: ConfigMap default\/Not_A_Name: .*Invalid value/);
  const isTold = async () => /Warning +ManifestNotApplied +manifest\/wrong.yaml +line 7: /.test(await events());
  await eventually(isTold, { what: 'the event' });
  await put('wrong.yaml', configMap('fine'));
  await eventually(async () => (await condition())?.status === 'True', { withinMs: 60_000 });
});

test('a field that was changed by kubectl is taken over when its file changes, others are left', async () => {
  await put('mine.yaml', configMap('mine', { value: 'one' }));
  await until('configmap', 'mine');
  await box.kubectl('patch', 'configmap', 'mine', '-p', '{"data":{"a":"by hand","b":"mine alone"}}');
  await put('mine.yaml', configMap('mine', { value: 'two' }));
  const data = () => box.kubectl('get', 'configmap', 'mine', '-o', 'jsonpath={.data}');
  await eventually(async () => (await events()).includes('ManifestTookOver'), { withinMs: 60_000 });
  expect(await events()).toMatch(/ManifestTookOver +manifest\/mine.yaml .*kubectl-patch/);
  expect(JSON.parse(await data())).toEqual({ a: 'two', b: 'mine alone' });
});

test('what says so goes with its file, also while kagent is down; what does not say so stays', async () => {
  const goes = configMap('goes', { prune: true });
  await put('some.yaml', [goes, configMap('follows', { prune: true }), configMap('stays')].join('---\n'));
  await until('configmap', 'stays');
  await put('some.yaml', [configMap('follows', { prune: true }), configMap('stays')].join('---\n'));
  await untilGone('configmap', 'goes');
  expect(await exists('configmap', 'follows')).toBe(true);
  await endKagent(box);
  await box.sh(`rm ${dir}/some.yaml`);
  await box.startServer();
  await untilGone('configmap', 'follows');
  expect(await exists('configmap', 'stays')).toBe(true);
});

test('five hundred objects, and then five megabytes, are applied', async () => {
  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, index) =>
      configMap(`many-${index}`, { prune: true, value: 'x'.repeat(length) }),
    ).join('---\n');
  const putFromOutside = (text: string) => writeFile(box.path(`${dir}/many.yaml`), text);
  const count = async () => (await box.kubectl('get', 'configmap', '-o', 'name')).split('many-').length - 1;
  const from = performance.now();
  await putFromOutside(many(500, 1));
  await eventually(async () => (await count()) === 500, { withinMs: 100_000, what: '500 objects' });
  console.log(`500 objects after ${Math.round(performance.now() - from)} ms`);
  const large = many(20, 260_000);
  await putFromOutside(large);
  await eventually(async () => (await count()) === 20, { withinMs: 100_000, what: 'only 20 of them' });
  console.log(`${large.length} bytes for ${await count()}, all after ${Math.round(performance.now() - from)} ms`);
  expect((await condition())?.status).toBe('True');
});

test('--disable takes away what kagent brought', async () => {
  expect(await exists('deployment', 'coredns', '-n', 'kube-system')).toBe(true);
  await restartServer(box, '--disable', 'coredns');
  await untilGone('deployment', 'coredns', '-n', 'kube-system');
  await untilGone('service', 'kube-dns', '-n', 'kube-system');
  expect((await box.sh(`ls ${dir}`)).split('\n')).not.toContain('coredns.yaml');
});
