/** The bad days of volumes, on a node of their own that joins for them and is gone in the end. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { untilNode } from '../../helpers/nodes.ts';
import { endKagent } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { theCluster } from '../three-hosts.ts';

const namespace = 'volumes';
const storage = '/var/lib/kagent/storage';
const many = Array.from({ length: 50 }, (_, at) => `many-${at}`);

let nodes: Nodes;
let v1: Box;

beforeAll(async () => {
  nodes = theCluster();
  v1 = await nodes.addBox('v1', 72);
  await v1.startAgent(...(await nodes.joinFlags()));
  await nodes.server.kubectl('create', 'namespace', namespace);
});
afterAll(async () => {
  if (v1 === undefined) return;
  if (!(await v1.host.isOff())) await v1.host.thaw();
  await nodes.server.kagent(['node', 'rm', 'v1', '--force']);
  await nodes.server.tryKubectl('delete', 'namespace', namespace, '--timeout=60s');
});

const kubectl = (...args: readonly string[]) => nodes.server.kubectl('-n', namespace, ...args);
const json = (...objects: readonly object[]) => objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('');

const claim = (name: string, more: { readonly annotations?: object; readonly storageClassName?: string } = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, ...(more.annotations && { annotations: more.annotations }) },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Mi' } },
    ...(more.storageClassName !== undefined && { storageClassName: more.storageClassName }),
  },
});

/** On v1, whatever its labels say. */
const pod = (name: string, claims: readonly string[] = [name]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['v1'] }] }],
        },
      },
    },
    containers: [
      {
        name: 'shell',
        image: 'IMAGE',
        command: ['sleep', '3600'],
        volumeMounts: claims.map((one) => ({ name: one, mountPath: `/data/${one}` })),
      },
    ],
    volumes: claims.map((one) => ({ name: one, persistentVolumeClaim: { claimName: one } })),
  },
});

const apply = (...objects: readonly object[]) => nodes.server.apply(json(...objects), '-n', namespace);
const ready = (name: string) => kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=90s');
/** Claims with a pod each, which runs. */
const inUse = async (...names: readonly string[]) => {
  await apply(...names.flatMap((name) => [claim(name), pod(name)]));
  await Promise.all(names.map((name) => ready(name)));
};
const folders = async () =>
  (await v1.sh(`ls ${storage}`))
    .trim()
    .split('\n')
    .filter((name) => name !== '');
const folderOf = async (name: string) => (await folders()).filter((folder) => folder.endsWith(`_${namespace}_${name}`));
const volumeOf = async (name: string) =>
  (await kubectl('get', 'pvc', name, '-o', 'jsonpath={.spec.volumeName}')).trim();
const deleted = async (name: string) => {
  await kubectl('delete', 'pod', name, '--force', '--grace-period=0', '--ignore-not-found');
  await kubectl('delete', 'pvc', name, '--timeout=60s');
};
/** Until neither PersistentVolume nor folder is left. */
const nothingIsLeftOf = (...volumes: readonly string[]) =>
  eventually(
    async () => {
      const left = `${await kubectl('get', 'pv', '-o', 'name')} ${(await folders()).join(' ')}`;
      return volumes.every((volume) => !left.includes(volume));
    },
    { withinMs: 60_000, everyMs: 100, what: `the end of ${volumes.join(', ')}` },
  );
const eventOf = (reason: string, object: string, message: RegExp) =>
  eventually(
    async () => {
      const of = `reason=${reason},involvedObject.name=${object}`;
      const said = await kubectl('get', 'events', '-A', '--field-selector', of, '-o', 'jsonpath={.items[*].message}');
      return message.test(said) && said;
    },
    { withinMs: 60_000, everyMs: 200, what: `the event ${reason} of ${object}` },
  );

test('fifty claims at once are bound and mounted, and leave nothing when they are deleted at once', async () => {
  const fromMs = performance.now();
  await apply(...many.map((name) => claim(name)), pod('many', many));
  await ready('many');
  console.log(`50 claims of one pod: mounted after ${Math.round(performance.now() - fromMs)} ms`);
  expect(await folders()).toHaveLength(50);
  await kubectl('delete', 'pod', 'many', '--force', '--grace-period=0');
  await kubectl('delete', 'pvc', '--all', '--timeout=60s');
  await eventually(async () => (await folders()).length === 0 && (await kubectl('get', 'pv', '-o', 'name')) === '', {
    withinMs: 60_000,
    what: 'the end of fifty volumes',
  });
});

test('a node whose name is not its hostname label has volumes as any other', async () => {
  await nodes.server.kubectl('label', 'node', 'v1', 'kubernetes.io/hostname=box-7', '--overwrite');
  await inUse('renamed');
  const volume = await volumeOf('renamed');
  const affinity = ['get', 'pv', volume, '-o', 'jsonpath={.spec.nodeAffinity.required.nodeSelectorTerms}'] as const;
  expect(await kubectl(...affinity)).toContain('"box-7"');
  // Removed by its name, which the label does not lead to any more.
  await nodes.server.kubectl('label', 'node', 'v1', 'kubernetes.io/hostname=v1', '--overwrite');
  await deleted('renamed');
  await nothingIsLeftOf(volume);
});

test('a disk that is full, a path that is read-only and a node that there is not: events say so, and what heals is made up for', async () => {
  const config = (...paths: readonly string[]) => ({
    nodePathMap: [
      { node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [storage] },
      ...(paths.length > 0 ? [{ node: 'v1', paths: [storage, ...paths] }] : []),
    ],
  });
  const setPaths = (...paths: readonly string[]) => {
    const patch = JSON.stringify({ data: { 'config.json': JSON.stringify(config(...paths)) } });
    return nodes.server.kubectl('-n', 'kube-system', 'patch', 'configmap', 'local-path-config', '-p', patch);
  };
  await v1.sh(
    'mkdir /mnt/full /mnt/read-only; mount -t tmpfs -o nr_inodes=1 full /mnt/full; mount -t tmpfs -o ro none /mnt/read-only',
  );
  await setPaths('/mnt/full/volumes', '/mnt/read-only/volumes');
  const classOf = (name: string) => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: 'rancher.io/local-path',
    volumeBindingMode: 'WaitForFirstConsumer',
    parameters: { nodePath: `/mnt/${name}/volumes` },
  });
  await apply(
    ...['full', 'read-only'].flatMap((name) => [classOf(name), claim(name, { storageClassName: name }), pod(name)]),
    claim('elsewhere', { annotations: { 'volume.kubernetes.io/selected-node': 'nobody' } }),
  );
  await eventOf('ProvisioningFailed', 'full', /v1\b.*\/mnt\/full\/volumes.*ENOSPC/);
  await eventOf('ProvisioningFailed', 'read-only', /v1\b.*\/mnt\/read-only\/volumes.*EROFS/);
  await eventOf('ProvisioningFailed', 'elsewhere', /^the node nobody is gone; the scheduler chooses another/);
  await apply(pod('elsewhere'));
  await ready('elsewhere');
  await v1.sh('mount -o remount,nr_inodes=100 /mnt/full; mount -o remount,rw /mnt/read-only');
  await Promise.all([ready('full'), ready('read-only')]);
  const volumes = await Promise.all(['full', 'read-only', 'elsewhere'].map((name) => volumeOf(name)));
  for (const name of ['full', 'read-only', 'elsewhere']) await deleted(name);
  await nothingIsLeftOf(...volumes);
  expect((await v1.sh('ls /mnt/full/volumes /mnt/read-only/volumes')).match(/pvc-/)).toBeNull();
  await setPaths();
  await nodes.server.kubectl('delete', 'storageclass', 'full', 'read-only');
});

test('a folder that somebody has removed is missed by name, put back by hand, and no hindrance to the end of its claim', async () => {
  await inUse('by-hand');
  const [folder = ''] = await folderOf('by-hand');
  await kubectl('delete', 'pod', 'by-hand', '--force', '--grace-period=0');
  await v1.sh(`rm -r ${storage}/${folder}`);
  await apply(pod('by-hand'));
  await eventOf('FailedMount', 'by-hand', new RegExp(`${folder}.* does not exist`));
  await v1.sh(`mkdir -m 777 ${storage}/${folder}`);
  await ready('by-hand');
  expect(await kubectl('exec', 'by-hand', '--', 'ls', '/data/by-hand')).toBe('');
  const volume = await volumeOf('by-hand');
  await kubectl('delete', 'pod', 'by-hand', '--force', '--grace-period=0');
  await v1.sh(`rm -r ${storage}/${folder}`);
  await deleted('by-hand');
  await nothingIsLeftOf(volume);
});

test('volumes of a node that is cordoned, and of one that was drained, are removed with their claims', async () => {
  await inUse('cordoned', 'drained');
  const volumes = [await volumeOf('cordoned'), await volumeOf('drained')];
  onTestFinished(async () => void (await nodes.server.kubectl('uncordon', 'v1')));
  await nodes.server.kubectl('cordon', 'v1');
  await deleted('cordoned');
  await nothingIsLeftOf(...volumes.slice(0, 1));
  const drained = ['drain', 'v1', '--force', '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s'];
  await nodes.server.kubectl(...drained);
  await deleted('drained');
  await nothingIsLeftOf(...volumes);
  for (const name of ['cordoned', 'drained']) expect(await folderOf(name)).toEqual([]);
});

test('a node that does not answer: what is deleted meanwhile is gone when it does, also a claim that was being made', async () => {
  await inUse('away');
  const volume = await volumeOf('away');
  await v1.host.freeze();
  await apply(claim('early'), pod('early'));
  const chosen = [
    'get',
    'pvc',
    'early',
    '-o',
    'jsonpath={.metadata.annotations.volume\\.kubernetes\\.io/selected-node}',
  ];
  await eventually(async () => (await kubectl(...chosen)) === 'v1', { what: 'the choice of v1' });
  await Promise.all([deleted('early'), deleted('away')]);
  await eventOf('VolumeFailedDelete', volume, /v1/);
  await untilNode(nodes, 'v1', { connected: false });
  await v1.host.thaw();
  await untilNode(nodes, 'v1', { connected: true, status: 'Ready' });
  await nothingIsLeftOf(volume, '_early');
  // What came to the node before it answered again is done by now.
  await inUse('next');
  expect(await folderOf('early')).toEqual([]);
  const next = await volumeOf('next');
  await deleted('next');
  await nothingIsLeftOf(next);
});

test('a disk under pressure keeps no volume from being removed, and a node that is gone for good no claim', async () => {
  await inUse('pressed', 'lost');
  const [pressed, lost] = [await volumeOf('pressed'), await volumeOf('lost')];
  await endKagent(v1);
  await v1.startAgent(...(await nodes.joinFlags()), '--kubelet-arg', 'eviction-hard=nodefs.available<99.9%');
  const taints = ['get', 'node', 'v1', '-o', 'jsonpath={.spec.taints[*].key}'] as const;
  await eventually(async () => (await kubectl(...taints)).includes('node.kubernetes.io/disk-pressure'), {
    withinMs: 60_000,
    what: 'the taint',
  });
  await deleted('pressed');
  await nothingIsLeftOf(pressed);

  await v1.host.off();
  expect(await nodes.server.kagent(['node', 'rm', 'v1', '--force'])).toMatchObject({ code: 0 });
  await deleted('lost');
  const left = `the data is not removed: the node v1 is gone, and ${storage}/${lost}_${namespace}_lost on it`;
  expect(await eventOf('VolumeLeftBehind', lost, /on it/)).toBe(left);
  await eventually(async () => !(await kubectl('get', 'pv', '-o', 'name')).includes(lost), { what: 'the end of it' });
});
