import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createManifests } from '../../../../src/server/manifests/manifests.ts';
import { createEventLog } from '../../../../src/shared/events/events.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { fakeKube } from '../../../helpers/fake-kube.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

function room(
  options: { readonly disabled?: readonly string[]; readonly files?: Readonly<Record<string, string>> } = {},
) {
  const dir = join(temporaryDir(), 'manifests');
  mkdirSync(dir);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text);
  const kube = fakeKube();
  const kinds = (root: string, ...names: string[]) =>
    kube.resources.set(root, [
      ...(kube.resources.get(root) ?? []),
      ...names.map((kind) => ({ name: `${kind.toLowerCase()}s`, kind, namespaced: true })),
    ]);
  kinds('/api/v1', 'ServiceAccount', 'Service');
  kinds('/apis/apps/v1', 'Deployment');
  kinds('/apis/rbac.authorization.k8s.io/v1', 'ClusterRole', 'ClusterRoleBinding');
  kinds('/apis/admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding');
  const events = createEventLog({ keep: 10 });
  const manifests = createManifests({
    kube,
    dir,
    packaged: { clusterDns: '10.43.0.10', clusterDomain: 'cluster.local', corednsImage: 'example/coredns:1' },
    disabled: options.disabled ?? [],
    log: silentLog,
    events,
  });
  onTestFinished(() => manifests.stop());
  const names = () => kube.applied.map(({ path }) => decodeURIComponent(path.split('/').at(-1) ?? ''));
  return { dir, kube, manifests, events, names };
}

const signal = new AbortController().signal;

test('a start writes the packaged files and applies them, rights first', async () => {
  const { dir, manifests, kube, names } = room();
  await manifests.start(signal);
  expect(readdirSync(dir)).toEqual(['00-kagent-rbac.yaml', 'coredns.yaml']);
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
    'mine.yml': configMap('mine'),
    '.hidden.yaml': configMap('hidden'),
    'notes.txt': configMap('text'),
    'off.yaml': configMap('off'),
    'off.yaml.skip': '',
  };
  const { manifests, names } = room({ files });
  await manifests.start(signal);
  expect(names()).toContain('mine');
  expect(names()).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(hidden|text|off)$/)]));
});

test('a file that changes is applied again, the others are not', async () => {
  const { dir, manifests, names } = room({ files: { 'mine.yaml': configMap('mine') } });
  await manifests.start(signal);
  const before = names().length;
  writeFileSync(join(dir, 'mine.yaml'), configMap('changed'));
  await eventually(() => names().length > before, { what: 'the second apply' });
  expect(names().slice(before)).toEqual(['changed']);
});

test('a file that fails keeps nobody waiting, is told once, and is applied when it can be', async () => {
  const { dir, manifests, events, names } = room({
    files: { 'toy.yaml': 'apiVersion: v1\nkind: Toy\nmetadata: {name: t}\n' },
  });
  await manifests.start(signal);
  expect(manifests.health()).toMatchObject({ status: 'False', message: 'not applied: toy.yaml' });
  writeFileSync(join(dir, 'other.yaml'), configMap('other'));
  await eventually(() => names().includes('other'), { what: 'the other file' });
  expect(events.recent(10).map(({ regarding }) => regarding)).toEqual(['toy.yaml']);
  writeFileSync(join(dir, 'toy.yaml'), configMap('toy'));
  await eventually(() => manifests.health().status === 'True', { what: 'the mended file' });
});
