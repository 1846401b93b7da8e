/**
 * What a server at rest holds and does when there is more of it: `sudo node bench/idle/growth.ts [--pods 0,30,100]
 * [--agents 1,10] [--settle 60] [--window 60]`, with dist/kagent built. One new cluster: first the server's own node gets as many
 * pods as said, which are real and sleep; then these go, and as many nodes join. They are hollow, as those of bench/scale: they
 * join, keep their channel and renew their lease as real ones do, and ten of them fit beside the server that is measured.
 * Each step has its time to settle. The page cache is left as it is, so the steps are to be compared with each other alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createNodes } from '../../test/helpers/cluster.ts';
import { eventually } from '../../test/helpers/wait.ts';
import { perMinute, sampleHost } from '../samples.ts';
import type { Sample } from '../samples.ts';
import { createHollowNodes } from '../scale/nodes.ts';

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '0,30,100' },
    agents: { type: 'string', default: '1,10' },
    settle: { type: 'string', default: '60' },
    window: { type: 'string', default: '60' },
  },
});
const counts = (text: string) => text.split(',').filter(Boolean).map(Number);
const windowSeconds = Number(values.window);
const growsWithinMs = 600_000;

const sleepers = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: sleepers, namespace: default }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: sleepers } }
  template:
    metadata: { labels: { app: sleepers } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: sleeper, image: IMAGE, command: [sleep, infinity] }]
`;

interface Step {
  readonly pods: number;
  readonly agents: number;
  readonly processes: readonly Sample[];
}

const lab = await createNodes('bench-growth', { agents: 0 });
try {
  const { server } = lab;
  const steps: Step[] = [];
  await server.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');

  const measure = async (pods: number, agents: number) => {
    await delay(Number(values.settle) * 1000);
    const before = sampleHost(server.host);
    await delay(windowSeconds * 1000);
    steps.push({ pods, agents, processes: perMinute(before, sampleHost(server.host), windowSeconds) });
  };
  const growTo = async (pods: number) => {
    await server.apply(sleepers(pods));
    const left = async () => (await server.kubectl('get', 'pods', '-l', 'app=sleepers', '-o=name')).trim();
    if (pods > 0)
      await server.kubectl('rollout', 'status', 'deployment/sleepers', `--timeout=${growsWithinMs / 1000}s`);
    else await eventually(async () => (await left()) === '', { what: 'the end of the pods', withinMs: growsWithinMs });
  };

  for (const pods of counts(values.pods)) {
    await growTo(pods);
    await measure(pods, 0);
  }
  if (counts(values.agents).length > 0) {
    await growTo(0);
    const { host } = await lab.addBox('n1', 21);
    const nodes = await createHollowNodes({ host, url: lab.url, token: await lab.token() });
    const ready = [
      'get',
      'nodes',
      '-l',
      'hollow',
      '-o=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}',
    ];
    for (const agents of counts(values.agents)) {
      await nodes.growTo(agents);
      const areReady = async () => (await server.kubectl(...ready)).split(/\s+/).filter((one) => one === 'True').length;
      await eventually(async () => (await areReady()) >= agents, { what: 'Ready nodes', withinMs: growsWithinMs });
      await Promise.race([measure(0, agents), nodes.failed]);
    }
  }
  process.stdout.write(table(steps));
  const results = resolve(import.meta.dirname, '../../dist/bench');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'growth.json'), JSON.stringify(steps, null, 2));
} finally {
  await lab.wipe();
}

function table(steps: readonly Step[]): string {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const columns = (processes: readonly Sample[]) => {
    const sum = (value: (one: Sample) => number) => processes.reduce((total, one) => total + value(one), 0);
    return [
      mib(sum((one) => one.pssBytes)),
      mib(sum((one) => one.anonymousBytes)),
      sum((one) => one.cpuSeconds).toFixed(2),
      (sum((one) => one.writtenBytes) / 1024).toFixed(0),
    ];
  };
  const named = (processes: readonly Sample[], name: string) => processes.filter((one) => one.name === name);
  const rows = steps.map(({ pods, agents, processes }) => [
    pods,
    agents,
    ...columns(named(processes, 'kagent')),
    ...columns(processes.filter(({ name }) => !name.startsWith('containerd-shim'))),
    ...columns(named(processes, 'containerd-shim-runc-v2')).slice(0, 3),
  ]);
  const each = ['PSS', 'anonymous', 'CPU-s', 'KiB'];
  const head = ['pods', 'agents', ...each.map((one) => `kagent ${one}`), ...each.map((one) => `all ${one}`)];
  const lines = [[...head, ...each.slice(0, 3).map((one) => `shims ${one}`)], ['--:'], ...rows];
  const width = lines[0]?.length ?? 0;
  return lines
    .map((cells) => `| ${(cells.length === 1 ? Array(width).fill(cells[0]) : cells).join(' | ')} |\n`)
    .join('');
}
