/** Processes are killed, one after the other, under pods that serve and a client that writes; nobody loses anything. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminKubeconfig } from '../../../src/shared/paths.ts';
import type { Box, Running } from '../../helpers/cluster.ts';
import { podProcessesOf, processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';
import { putToUse, theBox } from '../server-in-use.ts';

const components = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
  'flanneld',
];
const backWithinMs = 30_000;

let box: Box;
let server: Running;
let writer: Running;
let clusterIp: string;

beforeAll(async () => {
  box = theBox();
  ({ server, clusterIp } = await putToUse(box));
  await box.kubectl('create', 'namespace', 'written');
  // A kubelet takes containers for new, and not Ready, that started less than ten seconds before itself (upstream's
  // kubeletRestartGracePeriod): a workload in use is older.
  const started = await box.kubectl(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[*].state.running.startedAt}',
  );
  const youngest = Math.max(...started.split(' ').map((time) => Date.parse(time)));
  await eventually(() => Date.now() - youngest > 11_000, { withinMs: 15_000, what: 'older containers' });
  writer = box.run([process.execPath, join(import.meta.dirname, 'writer.ts'), adminKubeconfig, 'written']);
  await eventually(() => acknowledged().length > 20, { withinMs: 20_000, what: 'the first objects' });
});
afterAll(async () => {
  for (const { pid } of writers()) await box.signal(pid, 'KILL'); // which a test that failed has left
});

const writers = () => processesOf(box).filter(({ commandLine }) => commandLine.includes('crash/writer.ts'));

const acknowledged = () => writer.output().match(/^object-\d+$/gm) ?? [];

/** Resolves when every component answers, the node is Ready, and objects are acknowledged anew. */
async function allIsBack(): Promise<void> {
  const isHealthy = async () => {
    const { components: all } = await box.status();
    const ill = all.filter(({ condition }) => condition.status !== 'True');
    expect(ill.map(({ name, condition }) => `${name}: ${condition.message}`)).toEqual([]);
    return true;
  };
  await eventually(isHealthy, { withinMs: backWithinMs, what: 'every component' });
  await box.kubectl('wait', 'node', '--all', '--for=condition=Ready', '--timeout=60s');
  const before = acknowledged().length;
  await eventually(() => acknowledged().length > before, { withinMs: 5000, what: 'a new object' });
  expect(await box.sh(`curl -s -m 2 http://${clusterIp}`)).toContain(' v1');
}

/** How often each component runs; anything but once is a fault. */
function counts(): Readonly<Record<string, number>> {
  const names = processesOf(box).map((process) => process.name);
  return Object.fromEntries(components.map((name) => [name, names.filter((other) => other === name).length]));
}
const once = Object.fromEntries(components.map((name) => [name, 1]));

test.for(components)('%s is killed: it is back, once, and the pods have not noticed', async (name) => {
  const pods = podProcessesOf(box);
  expect(pods.length).toBeGreaterThanOrEqual(8); // three of web and the client, each with its pause
  const pidOf = async () => (await box.status()).components.find((component) => component.name === name)?.pid;
  const killed = await pidOf();
  if (killed === undefined) throw new Error(`${name} has no pid`);
  const from = performance.now();
  await box.signal(killed, 'KILL');
  await eventually(async () => ![undefined, killed].includes(await pidOf()), { withinMs: backWithinMs, what: name });
  await allIsBack();
  console.log(`${name}: all is back after ${Math.round(performance.now() - from)} ms`);
  expect(counts()).toEqual(once);
  expect(podProcessesOf(box)).toEqual(pods);
});

const componentOf = async (name: string) => (await box.status()).components.find((one) => one.name === name);

/** Resolves when each of these is another process, which has to be so in time. */
async function replaced(pids: ReadonlyMap<string, number>): Promise<void> {
  const from = performance.now();
  for (const [name, pid] of pids) {
    const isReplaced = async () => ![undefined, pid].includes((await componentOf(name))?.pid);
    await eventually(isReplaced, { withinMs: from + backWithinMs - performance.now(), what: `another ${name}` });
  }
}

test('what hangs is not called ready, by status, exit code and node, and is replaced in time, with its reason', async () => {
  const pods = podProcessesOf(box);
  const hanging = components.filter((name) => name !== 'kube-apiserver');
  const pids = new Map<string, number>();
  for (const name of hanging) pids.set(name, (await componentOf(name))?.pid ?? 0);
  await Promise.all([...pids.values()].map((pid) => box.signal(pid, 'STOP')));
  const isOver = replaced(pids);
  const saysSo = async () => {
    for (const name of hanging) expect((await componentOf(name))?.condition.reason).toBe('NotAnswering');
    return true;
  };
  await eventually(saysSo, { withinMs: 12_000, what: 'a status that tells of all of them' });
  const { code, stdout } = await box.kagent(['status']);
  expect(code).toBe(1);
  expect(stdout.split('\n')[0]).toMatch(/: ready, except .*kubelet/);
  expect((await box.status()).isReady).toBe(false);
  const path = '{.items[0].status.conditions[?(@.type=="kagent.sh/ChildrenHealthy")].message}';
  const onNode = () => box.kubectl('get', 'nodes', '-o', `jsonpath=${path}`);
  await eventually(async () => (await onNode()).includes('kubelet is not ready since'), { withinMs: 15_000 });
  await isOver;
  await allIsBack();
  for (const name of hanging) expect((await componentOf(name))?.restarts).toBeGreaterThan(0);
  const { events } = await box.status();
  expect(events.map(({ message }) => message).join()).toMatch(
    /kubelet ended \(kagent has ended it: a signal has stopped it/,
  );
  expect((await box.kagent(['status'])).code).toBe(0);
  expect(counts()).toEqual(once);
  expect(podProcessesOf(box)).toEqual(pods);
});

test('a kube-apiserver that hangs is replaced in time', async () => {
  const pid = (await componentOf('kube-apiserver'))?.pid ?? 0;
  await box.signal(pid, 'STOP');
  await replaced(new Map([['kube-apiserver', pid]]));
  await allIsBack();
  expect(counts()).toEqual(once);
});

test('a kube-apiserver that somebody tells to end does not wait for its clients, and is not called ready meanwhile', async () => {
  const pid = (await componentOf('kube-apiserver'))?.pid ?? 0;
  const from = performance.now();
  await box.signal(pid, 'TERM');
  const isGone = async () => (await componentOf('kube-apiserver'))?.condition.status === 'False';
  await eventually(isGone, { withinMs: 8000, what: 'a status that tells of it' });
  await replaced(new Map([['kube-apiserver', pid]]));
  expect(performance.now() - from).toBeLessThan(15_000);
  await allIsBack();
});

test('kagent itself is killed: started again it takes over, with each child once and the pods as they were', async () => {
  const pods = podProcessesOf(box);
  await box.signal((await box.status()).pid, 'KILL');
  expect(await server.exited).toBe(137);
  expect(podProcessesOf(box)).toEqual(pods);
  const from = performance.now();
  server = await box.startServer();
  await allIsBack();
  console.log(`kagent: all is back ${Math.round(performance.now() - from)} ms after its start`);
  expect(counts()).toEqual(once);
  expect(podProcessesOf(box)).toEqual(pods);
});

test('what comes afterwards works: a Deployment grows and a dead pod is replaced', async () => {
  await box.kubectl('scale', 'deployment/web', '--replicas=4');
  await box.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  await box.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false');
  await box.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  const restarts = await box.kubectl(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[*].restartCount}',
  );
  expect(new Set(restarts.split(' '))).toEqual(new Set(['0']));
});

test('no object that was acknowledged is lost', async () => {
  const [process] = writers();
  await box.signal(process?.pid ?? 0, 'TERM');
  expect(await writer.exited).toBe(0);
  const kept = new Set((await box.kubectl('-n', 'written', 'get', 'configmaps', '-o', 'name')).trim().split('\n'));
  expect(acknowledged().length).toBeGreaterThan(100);
  expect(acknowledged().filter((name) => !kept.has(`configmap/${name}`))).toEqual([]);
});
