import { expect, onTestFinished, test } from 'vitest';
import type { ClusterNode } from '../../../../../src/server/addons/addons.ts';
import { localStorage } from '../../../../../src/server/addons/local-storage/local-storage.ts';
import { Listeners } from '../../../../../src/shared/listeners.ts';
import { addonContext } from '../../../../helpers/addons.ts';
import { objectServer } from '../../../../helpers/object-server.ts';
import { eventually } from '../../../../helpers/wait.ts';

const claims = '/api/v1/persistentvolumeclaims';
const volumes = '/api/v1/persistentvolumes';
const classes = '/apis/storage.k8s.io/v1/storageclasses';
const maps = '/api/v1/namespaces/kube-system/configmaps';

const config = (
  value: object = { nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: ['/storage'] }] },
) => ({
  metadata: { name: 'local-path-config', namespace: 'kube-system' },
  data: { 'config.json': JSON.stringify(value) },
});
const storageClass = (more: object = {}) => ({
  metadata: { name: 'local-path' },
  provisioner: 'rancher.io/local-path',
  volumeBindingMode: 'WaitForFirstConsumer',
  reclaimPolicy: 'Delete',
  ...more,
});
const claim = (name: string, { node, spec = {} }: { readonly node?: string; readonly spec?: object } = {}) => ({
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    annotations: {
      'volume.kubernetes.io/storage-provisioner': 'rancher.io/local-path',
      ...(node !== undefined && { 'volume.kubernetes.io/selected-node': node }),
    },
  },
  spec: {
    storageClassName: 'local-path',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
  status: { phase: 'Pending' },
});
const volume = (name: string, { phase = 'Released', node = 'n1', path = `/storage/${name}` } = {}) => ({
  metadata: {
    name,
    uid: `uid-${name}`,
    annotations: {
      'pv.kubernetes.io/provisioned-by': 'rancher.io/local-path',
      'kagent.sh/volume-root': '/storage',
      'kagent.sh/volume-node': node,
    },
  },
  spec: { persistentVolumeReclaimPolicy: 'Delete', local: { path } },
  status: { phase },
});
const node = (name: string, hostname = name): ClusterNode => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': hostname } },
});

interface Circumstances {
  readonly nodes?: readonly ClusterNode[];
  readonly refuse?: (what: string) => string | undefined;
  /** When a node answers that it has done what it was told. */
  readonly answer?: (what: string) => Promise<void>;
}

/** The add-on beside an API server; what nodes are told to do is written down. */
async function storage(options: Circumstances = {}) {
  const server = await objectServer();
  const told: string[] = [];
  const changed = new Listeners<void>();
  const tell = (what: string) => {
    const reason = options.refuse?.(what);
    if (reason !== undefined) return Promise.reject(new Error(reason));
    told.push(what);
    return options.answer?.(what) ?? Promise.resolve();
  };
  for (const list of [claims, volumes, maps]) server.set(list, 'x', undefined);
  server.set(maps, 'local-path-config', config());
  server.set(classes, 'local-path', storageClass());
  const context = addonContext({
    kube: server.kube,
    nodeName: 'n1',
    nodes: {
      objects: () => options.nodes ?? [node('n1')],
      onObjectChange: (listener) => changed.add(listener),
      makeVolume: (name, { root, path }) => tell(`${name} make ${root} ${path}`),
      removeVolume: (name, { root, path }) => tell(`${name} remove ${root} ${path}`),
    },
  });
  const component = localStorage.component?.(context);
  onTestFinished(() => component?.stop());
  await component?.start(new AbortController().signal);
  return { ...server, told, nodesChanged: () => changed.tell() };
}

test('a claim whose pod has a node gets a volume there, which only that node may use', async () => {
  const { set, get, told, events } = await storage({ nodes: [node('n1', 'box-1')] });
  set(claims, 'data', claim('data'));
  set(claims, 'data', claim('data', { node: 'n1' }));
  const made = await eventually(() => get(volumes, 'pvc-uid-data'));
  expect(told).toEqual(['n1 make /storage /storage/pvc-uid-data_shop_data']);
  expect(made).toMatchObject({
    spec: {
      capacity: { storage: '1Gi' },
      claimRef: { namespace: 'shop', name: 'data', uid: 'uid-data' },
      local: { path: '/storage/pvc-uid-data_shop_data' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ values: ['box-1'] }] }] } },
      persistentVolumeReclaimPolicy: 'Delete',
    },
  });
  await eventually(() => events.includes('ProvisioningSucceeded Successfully provisioned volume pvc-uid-data'));
});

test('a claim that no pod uses yet waits, without a word', async () => {
  const { set, get, told, events } = await storage();
  set(claims, 'idle', claim('idle'));
  set(claims, 'data', claim('data', { node: 'n1' }));
  await eventually(() => get(volumes, 'pvc-uid-data'));
  expect(told).toHaveLength(1);
  expect(events.join()).not.toContain('idle');
});

test.each([
  ['for many nodes', { accessModes: ['ReadWriteMany'] }, /ReadWriteMany needs a file system that all nodes share/],
  ['of blocks', { volumeMode: 'Block' }, /volumeMode Block needs a disk/],
  [
    'with the contents of a snapshot',
    { dataSource: { kind: 'VolumeSnapshot', name: 'monday' } },
    /nothing copies the contents of VolumeSnapshot monday/,
  ],
  [
    'that a populator would fill',
    { dataSourceRef: { kind: 'Hello', name: 'text' } },
    /nothing copies the contents of Hello text/,
  ],
  ['with a selector', { selector: {} }, /a claim with a selector is not provisioned/],
])('a claim %s has an event that says what to take instead', async (_, spec, message) => {
  const { set, events } = await storage();
  set(claims, 'data', claim('data', { node: 'n1', spec }));
  expect(await eventually(() => events[0])).toMatch(message);
});

test('a disk that is full is an event, once, and the claim is served when there is room', async () => {
  let reason: string | undefined = 'the volume /storage/x cannot be made or removed: ENOSPC: no space left on device';
  const { set, get, events } = await storage({ refuse: () => reason });
  set(claims, 'data', claim('data', { node: 'n1' }));
  await eventually(() => events.length > 0);
  reason = undefined;
  await eventually(() => get(volumes, 'pvc-uid-data'), { withinMs: 10_000 });
  expect(events.filter((event) => event.includes('ENOSPC'))).toHaveLength(1);
});

test('of several disks one that can be written to is found, and an event names what is wrong with each where none can', async () => {
  const full = new Set(['/a', '/b', '/c']);
  const { set, get, told, events } = await storage({
    refuse: (what) => {
      const root = what.split(' ')[2] ?? '';
      return full.has(root) ? `no space left on ${root}` : undefined;
    },
  });
  const paths = [...full];
  const isItsOwn = () => JSON.stringify(get(maps, 'local-path-config')) !== JSON.stringify(config());
  await eventually(isItsOwn, { what: 'what it applies at its start' });
  set(maps, 'local-path-config', config({ nodePathMap: [{ node: 'n1', paths }] }));
  set(claims, 'none', claim('none', { node: 'n1' }));
  const said = await eventually(() => events[0]);
  expect(said).toBe('ProvisioningFailed no space left on /a; no space left on /b; no space left on /c');
  full.delete('/b');
  for (const name of ['one', 'two', 'three']) set(claims, name, claim(name, { node: 'n1' }));
  await eventually(() => ['one', 'two', 'three'].every((name) => get(volumes, `pvc-uid-${name}`) !== undefined));
  for (const name of ['one', 'two', 'three']) expect(told).toContain(`n1 make /b /b/pvc-uid-${name}_shop_${name}`);
  expect(events.filter((event) => event.startsWith('ProvisioningFailed'))).toEqual([said]);
});

test('a choice of the scheduler that is no node any more is taken back', async () => {
  const { set, patched } = await storage();
  set(claims, 'data', claim('data', { node: 'gone' }));
  const patch = await eventually(() =>
    patched.find(({ path }) => path === '/api/v1/namespaces/shop/persistentvolumeclaims/data'),
  );
  expect(patch.body).toEqual({ metadata: { annotations: { 'volume.kubernetes.io/selected-node': null } } });
});

test('a claim that is deleted while its node does not answer leaves no folder there', async () => {
  const answer = Promise.withResolvers<void>();
  const { set, get, told } = await storage({
    answer: (what) => (what.includes(' make ') ? answer.promise : Promise.resolve()),
  });
  set(claims, 'data', claim('data', { node: 'n1' }));
  await eventually(() => told.length === 1);
  set(claims, 'data', undefined);
  answer.reject(new Error('no answer within 30 s'));
  await eventually(() => told.length === 2);
  expect(told[1]).toBe('n1 remove /storage /storage/pvc-uid-data_shop_data');
  expect(get(volumes, 'pvc-uid-data')).toBeUndefined();
});

test('a folder that a PersistentVolume has after all stays when the claim is deleted', async () => {
  const made = (what: string) => what.includes(' make ');
  const { set, told } = await storage({
    answer: (what) => (made(what) ? Promise.reject(new Error('no answer within 30 s')) : Promise.resolve()),
  });
  for (const name of ['data', 'next']) set(claims, name, claim(name, { node: 'n1' }));
  await eventually(() => told.filter(made).length >= 2);
  set(volumes, 'pvc-uid-data', {
    ...volume('pvc-uid-data'),
    spec: { persistentVolumeReclaimPolicy: 'Retain', local: { path: '/storage/pvc-uid-data_shop_data' } },
  });
  for (const name of ['data', 'next']) set(claims, name, undefined);
  const removed = () => told.filter((what) => what.includes(' remove '));
  await eventually(() => removed().length > 0);
  expect(removed()).toEqual(['n1 remove /storage /storage/pvc-uid-next_shop_next']);
});

test('a claim whose folder another volume is about to lose waits for that', async () => {
  let reason: string | undefined = 'it is being removed';
  const { set, get, told, events } = await storage({ refuse: () => reason });
  set(classes, 'local-path', storageClass({ parameters: { pathPattern: '{{ .PVC.Name }}' } }));
  set(volumes, 'old', volume('old', { path: '/storage/data' }));
  await eventually(() => events.includes('VolumeFailedDelete it is being removed'));
  set(claims, 'data', claim('data', { node: 'n1' }));
  await eventually(() =>
    events.includes('ProvisioningFailed /storage/data is still the folder of old, which is being removed'),
  );
  reason = undefined;
  await eventually(() => get(volumes, 'pvc-uid-data'));
  expect(told).toEqual(['n1 remove /storage /storage/data', 'n1 make /storage /storage/data']);
});

test('a volume whose claim is gone is removed on its node, and then from the cluster; one that is kept is not', async () => {
  const { set, get, told } = await storage();
  set(volumes, 'kept', {
    ...volume('kept'),
    spec: { persistentVolumeReclaimPolicy: 'Retain', local: { path: '/storage/kept' } },
  });
  set(volumes, 'bound', volume('bound', { phase: 'Bound' }));
  set(volumes, 'old', volume('old'));
  await eventually(() => get(volumes, 'old') === undefined);
  expect(told).toEqual(['n1 remove /storage /storage/old']);
  expect(get(volumes, 'kept')).toBeDefined();
});

test('a volume on a node that is away is removed when the node is back', async () => {
  let reason: string | undefined = 'n1 is not connected';
  const { set, get, told, events, nodesChanged } = await storage({ refuse: () => reason });
  set(volumes, 'old', volume('old'));
  await eventually(() => events.includes('VolumeFailedDelete n1 is not connected'));
  expect(get(volumes, 'old')).toBeDefined();
  reason = undefined;
  nodesChanged();
  await eventually(() => get(volumes, 'old') === undefined);
  expect(told).toEqual(['n1 remove /storage /storage/old']);
});

test('a volume on a node that is gone for good is let go, and an event says what was left behind', async () => {
  const { set, get, told, events } = await storage();
  set(volumes, 'old', volume('old', { node: 'gone' }));
  await eventually(() => get(volumes, 'old') === undefined);
  expect(told).toEqual([]);
  expect(events).toContain('VolumeLeftBehind the data is not removed: the node gone is gone, and /storage/old on it');
});

test('a folder that two volumes share goes with the last of them', async () => {
  const { set, get, told } = await storage();
  set(volumes, 'bound', volume('bound', { phase: 'Bound', path: '/storage/shared' }));
  set(volumes, 'old', volume('old', { path: '/storage/shared' }));
  await eventually(() => get(volumes, 'old') === undefined);
  expect(told).toEqual([]);
  set(volumes, 'bound', volume('bound', { path: '/storage/shared' }));
  await eventually(() => get(volumes, 'bound') === undefined);
  expect(told).toEqual(['n1 remove /storage /storage/shared']);
});

test('a volume that k3s has made, which names no node and no root, is removed where its label leads', async () => {
  const { set, get, told } = await storage({ nodes: [node('n1'), node('n2', 'box-2')] });
  set(volumes, 'old', {
    metadata: { name: 'old', annotations: { 'pv.kubernetes.io/provisioned-by': 'rancher.io/local-path' } },
    spec: {
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: { path: '/opt/local-path-provisioner/pvc-1' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['box-2'] }] },
          ],
        },
      },
    },
    status: { phase: 'Released' },
  });
  await eventually(() => get(volumes, 'old') === undefined);
  expect(told).toEqual(['n2 remove /opt/local-path-provisioner /opt/local-path-provisioner/pvc-1']);
});
