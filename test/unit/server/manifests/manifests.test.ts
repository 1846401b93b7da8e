import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addonManifests } from '../../../../src/server/addons/addons.ts';
import { createManifests } from '../../../../src/server/manifests/manifests.ts';
import type { Timing } from '../../../../src/server/manifests/manifests.ts';
import { createEventLog } from '../../../../src/shared/events/events.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { KubeError } from '../../../../src/kube/kube.ts';
import { fakeKube } from '../../../helpers/fake-kube.ts';
import type { FakeKube } from '../../../helpers/fake-kube.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';
import { policyManifests } from '../../../../src/server/policies/policies.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const pruned = (name: string) => configMap(name).replace('}', ', annotations: {kagent.sh/prune: "true"}}');

const settings = {
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  clusterDns: '10.43.0.10',
  clusterDomain: 'cluster.local',
  networkPolicies: true,
  advertiseAddress: '10.0.0.1',
  serverCaPem: 'PEM',
  image: (name: string) => `example/${name}:1`,
};
const packaged = [...policyManifests(settings), ...addonManifests(settings)];

/** A cluster and a disk, on which one server after the other may run. */
interface World {
  readonly dir: string;
  readonly kube: FakeKube;
  readonly store: ReturnType<typeof memoryKeyValue>;
}

function world(): World {
  const kube = fakeKube();
  const kinds = (root: string, ...names: string[]) =>
    kube.resources.set(root, [
      ...(kube.resources.get(root) ?? []),
      ...names.map((kind) => ({ name: `${kind.toLowerCase()}s`, kind, namespaced: true })),
    ]);
  kinds('/api/v1', 'ServiceAccount', 'Service');
  kinds('/apis/apps/v1', 'Deployment');
  kinds('/apis/storage.k8s.io/v1', 'StorageClass');
  kinds('/apis/discovery.k8s.io/v1', 'EndpointSlice');
  kinds('/apis/apiregistration.k8s.io/v1', 'APIService');
  kinds('/apis/apiextensions.k8s.io/v1', 'CustomResourceDefinition');
  kinds('/apis/rbac.authorization.k8s.io/v1', 'ClusterRole', 'ClusterRoleBinding');
  kinds('/apis/admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding');
  const dir = join(temporaryDir(), 'manifests');
  mkdirSync(dir);
  return { dir, kube, store: memoryKeyValue() };
}

function room(
  options: {
    readonly disabled?: readonly string[];
    readonly files?: Readonly<Record<string, string>>;
    readonly timing?: Partial<Timing>;
    readonly in?: World;
  } = {},
) {
  const { dir, kube, store } = options.in ?? world();
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text);
  const events = createEventLog({ keep: 50 });
  const manifests = createManifests({
    after: [],
    kube,
    store,
    nodeName: 'box',
    dir,
    packaged,
    disabled: options.disabled ?? [],
    log: silentLog,
    events,
    timing: { settleMs: 20, patienceMs: 0, pruneAfterMs: 0, ...options.timing },
  });
  onTestFinished(() => manifests.stop());
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  const nameOf = (path: string) => decodeURIComponent(path.split('/').at(-1) ?? '');
  const names = () => kube.applied.map(({ path }) => nameOf(path));
  const deleted = () => kube.deleted.map(nameOf);
  const until = (name: string) => eventually(() => names().includes(name), { what: `${name} applied` });
  const reasons = (file: string) =>
    events.recent(50).flatMap(({ regarding, reason }) => (regarding === file ? [reason] : []));
  return { dir, kube, store, manifests, events, names, deleted, until, reasons, write };
}

const signal = new AbortController().signal;

test('a start writes the packaged files and applies them, rights first', async () => {
  const { dir, manifests, kube, names } = room();
  await manifests.start(signal);
  expect(readdirSync(dir)).toEqual([
    '00-kagent-rbac.yaml',
    '01-kagent-node-routing.yaml',
    '02-kagent-node-addresses.yaml',
    'coredns.yaml',
    'helm-controller.yaml',
    'local-storage.yaml',
    'metrics-server.yaml',
  ]);
  expect(names()[0]).toBe('kagent:kube-apiserver-kubelet-client');
  const service = kube.applied.find(({ path }) => path.endsWith('/kube-dns'))?.object;
  expect(service).toMatchObject({ spec: { clusterIP: '10.43.0.10' } });
  expect(manifests.health().status).toBe('True');
});

test('a disabled one is left out, also where an earlier start wrote it', async () => {
  const { dir, manifests, names } = room({ disabled: ['coredns'], files: { 'coredns.yaml': configMap('old') } });
  await manifests.start(signal);
  expect(existsSync(join(dir, 'coredns.yaml'))).toBe(false);
  expect(names()).not.toContain('old');
});

test('files of the operator are applied, hidden ones, other kinds and those with a .skip file are not', async () => {
  const files = {
    '.hidden.yaml': configMap('hidden'),
    'notes.txt': configMap('text'),
    'off.yaml': configMap('off'),
    'off.yaml.skip': '',
    'z-mine.yml': configMap('mine'),
  };
  const { manifests, names, until } = room({ files });
  await manifests.start(signal);
  await until('mine');
  expect(names()).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(hidden|text|off)$/)]));
});

test('files in folders are applied too, also in one that is made later; a folder named as a file is a folder', async () => {
  const { dir, manifests, until, write } = room();
  mkdirSync(join(dir, 'shop.yaml'));
  write('shop.yaml/web.yaml', configMap('web'));
  await manifests.start(signal);
  await until('web');
  mkdirSync(join(dir, 'later', 'deeper'), { recursive: true });
  write('later/deeper/late.yaml', configMap('late'));
  await until('late');
  write('later/deeper/late.yaml', configMap('latest'));
  await until('latest');
  expect(manifests.health().status).toBe('True');
});

test('a file that changes is applied again, the others are not', async () => {
  const { manifests, names, until, write } = room({ files: { 'mine.yaml': configMap('mine') } });
  await manifests.start(signal);
  await until('mine');
  const before = names().length;
  write('mine.yaml', configMap('changed'));
  await until('changed');
  expect(names().slice(before)).toEqual(['changed']);
});

test('a file that fails keeps nobody waiting, is told once with its line, and is applied when it can be', async () => {
  const toy = '# a toy\napiVersion: v1\nkind: Toy\nmetadata: {name: t}\n';
  const { manifests, kube, reasons, until, write } = room({ files: { 'toy.yaml': toy } });
  await manifests.start(signal);
  await eventually(() => manifests.health().status === 'False', { what: 'the failure' });
  expect(manifests.health().message).toMatch(/^toy\.yaml: line 2: Toy t: the cluster knows no Toy in v1/);
  write('other.yaml', configMap('other'));
  await until('other');
  write('another.yaml', configMap('another'));
  await until('another');
  expect(reasons('toy.yaml')).toEqual(['ManifestNotApplied']);
  expect(kube.created).toContainEqual({
    path: '/api/v1/namespaces/kube-system/events',
    object: expect.objectContaining({
      type: 'Warning',
      reason: 'ManifestNotApplied',
      involvedObject: expect.objectContaining({ kind: 'Manifest', name: 'toy.yaml' }),
    }),
  });
  write('toy.yaml', configMap('toy'));
  await eventually(() => manifests.health().status === 'True', { what: 'the corrected file' });
  expect(reasons('toy.yaml')).toEqual(['ManifestNotApplied', 'ManifestApplied']);
});

test('a link to nothing is told, one to a file is followed', async () => {
  const { dir, manifests, until, store } = room();
  const elsewhere = join(temporaryDir(), 'web');
  writeFileSync(elsewhere, configMap('linked'));
  symlinkSync(elsewhere, join(dir, 'a.yaml'));
  symlinkSync('/nowhere', join(dir, 'b.yaml'));
  await manifests.start(signal);
  await until('linked');
  await eventually(() => manifests.health().message.startsWith('b.yaml: it cannot be read (it links to nothing)'));
  expect([...store.all.keys()]).not.toContain('/kagent/manifests/box/b.yaml');
});

test('a file that is half written is not applied, and not complained about while it grows', async () => {
  const { manifests, events, until, write } = room({ timing: { patienceMs: 60_000 } });
  await manifests.start(signal);
  write('mine.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {na');
  write('other.yaml', configMap('other'));
  await until('other');
  write('mine.yaml', configMap('whole'));
  await until('whole');
  expect(events.recent(50).filter(({ type }) => type === 'Warning')).toEqual([]);
});

test('an object goes with its file, and when its file has it no more, if it says so; others stay', async () => {
  const { dir, manifests, deleted, until, write, reasons } = room();
  write('mine.yaml', [pruned('a'), pruned('b'), pruned('c'), configMap('stays')].join('---\n'));
  await manifests.start(signal);
  await until('stays');
  write('mine.yaml', [pruned('b'), pruned('c')].join('---\n'));
  await eventually(() => deleted().length > 0, { what: 'a deletion' });
  expect(deleted()).toEqual(['a']);
  rmSync(join(dir, 'mine.yaml'));
  await eventually(() => deleted().length === 3, { what: 'two more' });
  expect(deleted()).toEqual(['a', 'c', 'b']); // the last applied first
  await eventually(() => reasons('mine.yaml').filter((reason) => reason === 'ManifestPruned').length === 2);
});

test('what was applied is remembered: a file that was removed while no kagent ran is missed at the next start', async () => {
  const here = world();
  const first = room({ in: here, files: { 'mine.yaml': pruned('a') } });
  await first.manifests.start(signal);
  await first.until('a');
  await eventually(() => here.store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the record' });
  await first.manifests.stop();
  rmSync(join(here.dir, 'mine.yaml'));
  const second = room({ in: here });
  await second.manifests.start(signal);
  await eventually(() => !here.store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the record to go' });
  expect(second.deleted()).toEqual(['a']);
});

test('a new disk says of no file that it was removed', async () => {
  const here = world();
  const first = room({ in: here, files: { 'mine.yaml': pruned('a') } });
  await first.manifests.start(signal);
  await eventually(() => here.store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the record' });
  await first.manifests.stop();
  rmSync(here.dir, { recursive: true });
  const second = room({ in: here });
  await second.manifests.start(signal);
  expect([...here.store.all.keys()].filter((key) => key.endsWith('mine.yaml'))).toEqual([]);
  await second.manifests.stop();
  expect(second.deleted()).toEqual([]);
});

test('a file that is renamed, or emptied, or skipped, loses nothing', async () => {
  const { dir, manifests, deleted, until, write, store } = room({ files: { 'mine.yaml': pruned('a') } });
  await manifests.start(signal);
  await until('a');
  renameSync(join(dir, 'mine.yaml'), join(dir, 'yours.yaml'));
  await eventually(() => !store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the old name to be forgotten' });
  write('yours.yaml', '# nothing yet\n');
  write('next.yaml', configMap('next'));
  await until('next');
  write('yours.yaml.skip', '');
  rmSync(join(dir, 'yours.yaml'));
  write('last.yaml', configMap('last'));
  await until('last');
  await manifests.stop();
  expect(deleted()).toEqual([]);
});

test('what is gone for a moment only stays', async () => {
  const { dir, manifests, deleted, until, write } = room({ timing: { pruneAfterMs: 60_000 } });
  write('mine.yaml', pruned('a'));
  await manifests.start(signal);
  await until('a');
  rmSync(join(dir, 'mine.yaml'));
  write('next.yaml', configMap('next'));
  await until('next'); // a pass without it
  write('mine.yaml', pruned('a'));
  write('last.yaml', configMap('last'));
  await until('last');
  await manifests.stop();
  expect(deleted()).toEqual([]);
});

test('nothing is removed while another file is not applied: it may hold the same', async () => {
  const { dir, manifests, deleted, until, write } = room({ files: { 'mine.yaml': pruned('a') } });
  await manifests.start(signal);
  await until('a');
  write('yours.yaml', 'a: [');
  rmSync(join(dir, 'mine.yaml'));
  await eventually(() => manifests.health().status === 'False', { what: 'the broken file' });
  write('next.yaml', configMap('next'));
  await until('next');
  expect(deleted()).toEqual([]);
  write('yours.yaml', configMap('yours'));
  await eventually(() => deleted().includes('a'), { what: 'the deletion' });
});

test('an object somebody has made anew is not the one the file made', async () => {
  const { dir, manifests, kube, until, store } = room({ files: { 'mine.yaml': pruned('a') } });
  await manifests.start(signal);
  await until('a');
  await eventually(() => store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the record' });
  kube.present.set('/api/v1/namespaces/default/configmaps/a', 'uid-of-another');
  rmSync(join(dir, 'mine.yaml'));
  await eventually(() => !store.all.has('/kagent/manifests/box/mine.yaml'), { what: 'the record to go' });
  expect(kube.deleted).toEqual([]);
});

test('a deletion that fails is told and tried again', async () => {
  const { dir, manifests, kube, deleted, until, reasons } = room({ files: { 'mine.yaml': pruned('a') } });
  await manifests.start(signal);
  await until('a');
  kube.deleteFailures.push(new KubeError('DELETE', 403, 'a webhook says no'));
  rmSync(join(dir, 'mine.yaml'));
  await eventually(() => manifests.health().message.includes('a webhook says no'), { what: 'the failure' });
  await eventually(() => deleted().includes('a'), { what: 'the deletion' });
  expect(reasons('mine.yaml')).toEqual(['ManifestApplied', 'ManifestNotApplied', 'ManifestPruned']);
  await eventually(() => manifests.health().status === 'True', { what: 'all well' });
});

test("what kagent brought goes when it is disabled, what a person made under its file's name does not", async () => {
  const here = world();
  const first = room({ in: here });
  await first.manifests.start(signal);
  await first.manifests.stop();
  const path = '/apis/apps/v1/namespaces/kube-system/deployments/coredns';
  expect(here.kube.present.has(path)).toBe(true);
  const second = room({ in: here, disabled: ['coredns'] });
  await second.manifests.start(signal);
  await eventually(() => !here.kube.present.has(path), { what: 'the Deployment to go' });
  await eventually(() => second.deleted().length === 6, { what: 'all of it' });
  await second.manifests.stop();
  here.kube.present.set(path, 'uid-of-my-own');
  const third = room({ in: here, disabled: ['coredns'], files: { 'next.yaml': configMap('next') } });
  await third.manifests.start(signal);
  await third.until('next');
  expect(here.kube.present.has(path)).toBe(true);
});

test('what kagent brought and people fill stays when it is disabled: it says so', async () => {
  const here = world();
  const first = room({ in: here });
  await first.manifests.start(signal);
  await first.manifests.stop();
  const paths = (part: string) => [...here.kube.present.keys()].filter((path) => path.includes(part));
  const [definitions, binding] = ['helm.cattle.io', encodeURIComponent('kagent:helm-controller')];
  expect([paths(definitions).length, paths(binding).length]).toEqual([2, 1]);
  const second = room({ in: here, disabled: ['helm-controller'] });
  await second.manifests.start(signal);
  await eventually(() => paths(binding).length === 0, { what: 'the binding to go' });
  expect(paths(definitions)).toHaveLength(2);
});

test('a packaged file that somebody deletes keeps its objects, and is back at the next start', async () => {
  const here = world();
  const first = room({ in: here });
  await first.manifests.start(signal);
  rmSync(join(here.dir, 'coredns.yaml'));
  first.write('next.yaml', configMap('next'));
  await first.until('next');
  await first.manifests.stop();
  expect(first.deleted()).toEqual([]);
  await room({ in: here }).manifests.start(signal);
  expect(existsSync(join(here.dir, 'coredns.yaml'))).toBe(true);
});

test('something else in the place of a packaged file, or of one that is left out, ends no start; the others are applied', async () => {
  const { dir, manifests, names } = room({ disabled: ['coredns'], files: {} });
  mkdirSync(join(dir, 'coredns.yaml'));
  const [blocked = '', other = ''] = packaged.flatMap(({ name }) => (name === 'coredns' ? [] : [name]));
  mkdirSync(join(dir, `${blocked}.yaml`));
  await manifests.start(signal);
  expect(manifests.health()).toMatchObject({
    status: 'False',
    message: expect.stringContaining(`${blocked}.yaml: it cannot be written`),
  });
  expect(existsSync(join(dir, `${other}.yaml`))).toBe(true);
  expect(names().length).toBeGreaterThan(0);
  rmSync(join(dir, `${blocked}.yaml`), { recursive: true });
  await eventually(() => manifests.health().status === 'True', {
    what: 'the file, when its place is free',
    withinMs: 20_000,
  });
});

test('a folder of manifests that is a link to nothing ends no start', async () => {
  const there = world();
  rmSync(there.dir, { recursive: true });
  symlinkSync('/not/there', there.dir);
  const { manifests } = room({ in: there });
  await manifests.start(signal);
  expect(manifests.health()).toMatchObject({ status: 'False', message: expect.stringContaining(there.dir) });
});
