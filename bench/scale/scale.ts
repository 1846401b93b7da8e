/**
 * Many nodes on one server: `sudo node bench/scale/scale.ts [--nodes 100] [--pods 3000] [--settle 60] [--window 60]`,
 * with dist/kagent built. A new box (a host of the lab) runs `kagent server`; hollow kubelets on a second host join it.
 * In three steps it grows, rests, and is then measured while a third party asks it what users' tools ask.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { adminKubeconfig, defaultDataDir, runPaths } from '../../src/shared/paths.ts';
import { createNodes } from '../../test/helpers/cluster.ts';
import { describeMachine } from '../datastore/machine.ts';
import { perMinute, sampleHost } from '../samples.ts';
import { heartbeatsBetween, heartbeatsOf } from './heartbeats.ts';
import {
  datastoreHistograms,
  latencyBetween,
  latencyOfTimes,
  readVerbs,
  requestHistograms,
  verbs,
  writeVerbs,
} from './latency.ts';
import type { Verb } from './latency.ts';
import type { LoadResult } from './load.ts';
import { hostCpuSeconds, machineCpuSeconds } from './machine.ts';
import { createHollowNodes } from './nodes.ts';
import { report } from './report.ts';
import type { DatastoreFacts, Step } from './report.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    pods: { type: 'string', default: '3000' },
    settle: { type: 'string', default: '60' },
    window: { type: 'string', default: '60' },
  },
});
const most = { nodes: Number(values.nodes), pods: Number(values.pods) };
const sizes = [0.1, 0.5, 1].map((share) => ({
  nodes: Math.ceil(most.nodes * share),
  pods: Math.ceil(most.pods * share),
}));
const windowSeconds = Number(values.window);
const growsWithinMs = 900_000;

const hollow = { hollow: 'true' };
const labels = { app: 'hollow' };
/** A pod as people write them; the image is never pulled. */
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'hollow', namespace: 'default' },
  spec: {
    replicas: 0,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        nodeSelector: hollow,
        tolerations: [{ key: 'hollow', operator: 'Exists' }],
        containers: [
          {
            name: 'web',
            image: 'hollow/web:1',
            env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
            ports: [{ containerPort: 80 }],
            resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          },
        ],
      },
    },
  },
};

const seconds = (sinceMs: number) => (performance.now() - sinceMs) / 1000;
const say = (text: string) => process.stderr.write(`${new Date().toISOString()} ${text}\n`);
const results = resolve(import.meta.dirname, '../../dist/bench');
await mkdir(results, { recursive: true });

const lab = await createNodes('bench-scale', { agents: 0 });
try {
  const box = lab.server;
  const machine = describeMachine(box.host.dir);
  const { host } = await lab.addBox('n1', 21);
  await copyFile(box.path(adminKubeconfig), join(host.dir, 'disk/tmp/admin.yaml'));
  const nodes = await createHollowNodes({ host, url: lab.url, token: await lab.token() });
  await box.apply(JSON.stringify(deployment, undefined, 2));

  const count = async (...what: readonly string[]) =>
    (await box.kubectl('get', ...what)).split(/\s+/).filter((word) => word === 'True').length;
  const readyOf = '-o=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}';
  /** Looks every two seconds, so as not to be a load itself. @returns seconds */
  const until = async (what: string, isThere: () => Promise<boolean>) => {
    const began = performance.now();
    while (!(await isThere())) {
      if (performance.now() - began > growsWithinMs) throw new Error(`${what}: not within ${growsWithinMs / 1000} s`);
      await Promise.race([delay(2000), nodes.failed]);
    }
    return seconds(began);
  };

  const grow = async (size: { readonly nodes: number; readonly pods: number }) => {
    const began = performance.now();
    await nodes.growTo(size.nodes);
    const joinSeconds = seconds(began);
    say(`${size.nodes} nodes have joined`);
    await until('Ready nodes', async () => (await count('nodes', '-l', 'hollow', readyOf)) >= size.nodes);
    const nodesReadySeconds = seconds(began);
    say(`${size.nodes} nodes are Ready`);
    await box.kubectl('scale', 'deployment/hollow', `--replicas=${size.pods}`);
    const podsReadySeconds = await until('Ready pods', async () => {
      const ready = await box.kubectl('get', 'deployment/hollow', '-o=jsonpath={.status.readyReplicas}');
      return Number(ready) >= size.pods;
    });
    say(`${size.pods} pods are Ready`);
    return { joinSeconds, nodesReadySeconds, podsReadySeconds };
  };

  const load = async () => {
    const script = join(import.meta.dirname, 'load.ts');
    const args = [`https://${box.host.address}:6443`, '/tmp/admin.yaml', values.window];
    const stdout = await host.must([process.execPath, script, ...args], { timeoutMs: (windowSeconds + 120) * 1000 });
    return JSON.parse(stdout) as LoadResult;
  };

  /** What was asked of the server, and what everybody used, while `work` ran. */
  const watched = async <T>(work: () => Promise<T>) => {
    const look = async () => ({
      metrics: await box.kubectl('get', '--raw', '/metrics'),
      processes: { server: sampleHost(box.host), hollow: sampleHost(host) },
      cpu: {
        server: await hostCpuSeconds(box.host),
        hollow: await hostCpuSeconds(host),
        machine: machineCpuSeconds(),
      },
    });
    const heartbeatsBefore = await heartbeatsOf(box.path(runPaths.statusSocket));
    const before = await look();
    const began = performance.now();
    const result = await work();
    const windowSeconds = seconds(began);
    const after = await look();
    const heartbeats = heartbeatsBetween(
      heartbeatsBefore,
      await heartbeatsOf(box.path(runPaths.statusSocket)),
      windowSeconds,
    );

    const requests = { before: requestHistograms(before.metrics), after: requestHistograms(after.metrics) };
    const stored = { before: datastoreHistograms(before.metrics), after: datastoreHistograms(after.metrics) };
    const asked = (of: readonly Verb[]) => latencyBetween(requests.before, requests.after, of);
    const apiserver = {
      reads: asked(readVerbs),
      writes: asked(writeVerbs),
      verbs: verbs.map((verb) => ({ verb, ...asked([verb]) })),
    };
    const datastore = {
      reads: latencyBetween(stored.before, stored.after, ['read']),
      writes: latencyBetween(stored.before, stored.after, ['write']),
    };
    const usage = (of: 'server' | 'hollow') => perMinute(before.processes[of], after.processes[of], windowSeconds);
    const cpu = (of: 'server' | 'hollow' | 'machine') => ((after.cpu[of] - before.cpu[of]) * 60) / windowSeconds;
    const cpuSecondsPerMinute = { server: cpu('server'), hollow: cpu('hollow'), machine: cpu('machine') };
    const watch = { windowSeconds, heartbeats, apiserver, datastore, server: usage('server'), hollow: usage('hollow') };
    return { result, watch: { ...watch, cpuSecondsPerMinute } };
  };

  const clientOf = ({ timesMs, watchedAfterMs, refusals }: LoadResult) => {
    const times = (of: readonly Verb[]) => latencyOfTimes(of.flatMap((verb) => timesMs[verb] ?? []));
    return {
      reads: times(readVerbs),
      writes: times(writeVerbs),
      verbs: verbs.map((verb) => ({ verb, ...times([verb]) })),
      watched: latencyOfTimes(watchedAfterMs),
      refusals,
    };
  };

  const datastore = async () => {
    const facts = JSON.parse((await box.kagent(['datastore', 'status', '-o', 'json'])).stdout) as DatastoreFacts;
    const onDiskBytes = Number((await box.sh(`du -sb ${defaultDataDir}/server/db`)).split('\t')[0]);
    return { ...facts, onDiskBytes };
  };

  const steps: Step[] = [];
  try {
    for (const size of sizes) {
      const grown = await watched(() => grow(size));
      await delay(Number(values.settle) * 1000);
      say('measuring');
      const settled = await watched(load);
      steps.push({
        ...size,
        growth: { ...grown.result, ...grown.watch },
        settled: { client: clientOf(settled.result), ...settled.watch },
        datastore: await datastore(),
      });
      await writeFile(join(results, 'scale.json'), JSON.stringify({ machine, steps }, null, 2));
    }
  } finally {
    await nodes.keepLogs(join(results, 'scale'));
  }
  process.stdout.write(report(steps, machine));
} finally {
  await lab.wipe();
}
