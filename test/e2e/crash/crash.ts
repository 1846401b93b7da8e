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
  'network-policies',
];
/** Which of them are one process. */
const processes: Readonly<Record<string, readonly string[]>> = {
  'kube-control-plane': ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'],
  containerd: ['containerd'],
  'kube-node': ['kubelet', 'kube-proxy', 'flanneld', 'network-policies'],
};
const backWithinMs = 30_000;
/** From the end of a process to the next one: how soon that is ready depends on what else the machine does. */
const nextProcessWithinMs = 5000;

const logDir = '/var/lib/kagent/logs';

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

/** How often each process runs; anything but once is a fault. */
function counts(): Readonly<Record<string, number>> {
  const names = processesOf(box).map((process) => process.name);
  return Object.fromEntries(
    Object.keys(processes).map((name) => [name, names.filter((other) => other === name).length]),
  );
}
const once = Object.fromEntries(Object.keys(processes).map((name) => [name, 1]));

test('the programs are parts of two processes, each a component with a log of its own', async () => {
  const { components: all } = await box.status();
  const pidOf = (name: string) => all.find((one) => one.name === name)?.pid;
  for (const parts of Object.values(processes)) {
    expect(new Set(parts.map(pidOf)).size).toBe(1);
    for (const part of parts) expect(await box.sh(`wc -l <${logDir}/${part}.log`)).not.toBe('0\n');
  }
  expect(new Set(components.map(pidOf)).size).toBe(Object.keys(processes).length);
});

/** Families by the program that serves them. */
async function metricsOf(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const skipsTls = ['--insecure-skip-tls-verify', '--server'];
  const texts = {
    'kube-apiserver': box.kubectl('get', '--raw', '/metrics'),
    'kube-controller-manager': box.kubectl(...skipsTls, 'https://127.0.0.1:10257', 'get', '--raw', '/metrics'),
    'kube-scheduler': box.kubectl(...skipsTls, 'https://127.0.0.1:10259', 'get', '--raw', '/metrics'),
    kubelet: box.kubectl('get', '--raw', '/api/v1/nodes/s1/proxy/metrics'),
    'kube-proxy': box.sh('curl -sf http://127.0.0.1:10249/metrics'),
  };
  const families = async ([name, text]: [string, Promise<string>]) =>
    [name, new Set([...(await text).matchAll(/^# TYPE (\S+)/gm)].map(([, family = '']) => family))] as const;
  return new Map(await Promise.all(Object.entries(texts).map(families)));
}

test('each program serves its own metrics, and what is its process’s the first of them alone', async () => {
  const served = await metricsOf();
  const whoServes = (family: string) => [...served].flatMap(([name, all]) => (all.has(family) ? [name] : []));
  expect(whoServes('apiserver_request_total')).toEqual(['kube-apiserver']);
  expect(whoServes('node_collector_zone_size')).toEqual(['kube-controller-manager']);
  expect(whoServes('scheduler_schedule_attempts_total')).toEqual(['kube-scheduler']);
  expect(whoServes('kubelet_running_pods')).toEqual(['kubelet']);
  expect(whoServes('kubeproxy_sync_proxy_rules_duration_seconds')).toEqual(['kube-proxy']);
  for (const family of ['go_goroutines', 'process_cpu_seconds_total', 'rest_client_requests_total'])
    expect(whoServes(family)).toEqual(['kube-apiserver', 'kubelet']);
  for (const parts of Object.values(processes)) {
    const all = parts.flatMap((part) => [...(served.get(part) ?? [])]);
    expect(all.filter((family, index) => all.indexOf(family) !== index)).toEqual([]);
  }
});

test.for(Object.keys(processes))(
  '%s is killed: it is back in time, once, and the pods have not noticed',
  async (process) => {
    const [name = ''] = processes[process] ?? [];
    const pods = podProcessesOf(box);
    expect(pods.length).toBeGreaterThanOrEqual(8); // three of web and the client, each with its pause
    const pidOf = async () => (await box.status()).components.find((component) => component.name === name)?.pid;
    const killed = await pidOf();
    if (killed === undefined) throw new Error(`${name} has no pid`);
    const from = performance.now();
    await box.signal(killed, 'KILL');
    const isNext = async () => ![undefined, killed].includes(await pidOf());
    await eventually(isNext, { withinMs: nextProcessWithinMs, what: name });
    const isReady = async () => (await componentOf(name))?.condition.status === 'True';
    await eventually(isReady, { withinMs: backWithinMs, what: process });
    const readyMs = Math.round(performance.now() - from);
    await allIsBack();
    console.log(`${process}: ready after ${readyMs} ms, all is back after ${Math.round(performance.now() - from)}`);
    expect(counts()).toEqual(once);
    expect(podProcessesOf(box)).toEqual(pods);
  },
);

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
  const hanging = components.filter((name) => !(processes['kube-control-plane'] ?? []).includes(name));
  const pids = new Map<string, number>();
  for (const name of hanging) pids.set(name, (await componentOf(name))?.pid ?? 0);
  await Promise.all([...new Set(pids.values())].map((pid) => box.signal(pid, 'STOP')));
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
    /(kubelet|kube-proxy|flanneld|network-policies) ended \(kagent has ended it: a signal has stopped it/,
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

test('a kubelet that cannot start does not keep the others from their work, and is named', async () => {
  const pods = podProcessesOf(box);
  const file = '/var/lib/kagent/agent/etc/kubelet.conf.d/wrong.conf';
  await box.sh(`echo 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: Nonsense' >${file}`);
  await box.signal((await componentOf('kubelet'))?.pid ?? 0, 'KILL');
  const told = async () =>
    (await box.status()).events.map(({ regarding, message }) => `${regarding}: ${message}`).join('\n');
  const separated = 'kubelet: kubelet has ended kube-node 2 times in ten minutes';
  await eventually(async () => (await told()).includes(separated), {
    withinMs: backWithinMs,
    what: 'a kubelet of its own',
  });
  expect(await told()).toMatch(/^kubelet: kubelet ended \(.*Nonsense.*\); kube-node starts again in/m);
  const othersAreReady = async () => {
    const rest = await Promise.all(['kube-proxy', 'flanneld', 'network-policies'].map(componentOf));
    return rest.every((one) => one?.condition.status === 'True');
  };
  await eventually(othersAreReady, { withinMs: backWithinMs, what: 'the others without the kubelet' });
  expect((await componentOf('kubelet'))?.condition.status).toBe('False');
  await box.sh(`rm ${file}`);
  await allIsBack();
  expect(podProcessesOf(box)).toEqual(pods);
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
