/**
 * What it costs to outlive the loss of a box, and how long that takes: `sudo node bench/servers/servers.ts [--runs 20]
 * [--seconds 10] [--clients 20] [--rest 180] [--window 60]`, with dist/kagent built. Three clusters, one after the other: a server with a datastore
 * of its own, three on etcd, one on PostgreSQL. Of each the writes that kube-apiserver takes, and what its first server holds and does at
 * rest. Then, in the one of three, the server whose etcd leads loses its power, and a client of another one writes on.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createBox } from '../../test/helpers/cluster.ts';
import type { Box, BoxWithLab } from '../../test/helpers/cluster.ts';
import { eventually } from '../../test/helpers/wait.ts';
import { postgres } from '../../test/e2e/external-datastore/databases.ts';
import { percentile } from '../percentile.ts';
import { perMinute, sampleHost } from '../samples.ts';
import type { Sample } from '../samples.ts';
import type { Write } from './writes.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '20' },
    rest: { type: 'string', default: '180' },
    window: { type: 'string', default: '60' },
  },
});
const windowSeconds = Number(values.window);
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const writing = (box: Box, ...args: readonly string[]): Promise<string> =>
  box.host.must(['env', '-i', path, process.execPath, join(import.meta.dirname, 'writes.ts'), ...args], {
    timeoutMs: 300_000,
  });

interface Costs {
  readonly aSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly atRest: readonly Sample[];
}

async function costsOf(box: Box): Promise<Costs> {
  await box.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');
  await box.kubectl('create', 'namespace', 'bench');
  await writing(box, '3', values.clients, '0'); // warm
  const writes = JSON.parse(await writing(box, values.seconds, values.clients, '0')) as readonly Write[];
  const times = writes.map(({ askedMs, answeredMs }) => answeredMs - askedMs);
  await delay(Number(values.rest) * 1000);
  const before = sampleHost(box.host);
  await delay(windowSeconds * 1000);
  const atRest = perMinute(before, sampleHost(box.host), windowSeconds);
  const aSecond = writes.length / Number(values.seconds);
  return { aSecond, p50: percentile(times, 0.5), p99: percentile(times, 0.99), atRest };
}

async function measured(scenario: string, start: (box: BoxWithLab) => Promise<unknown>): Promise<Costs> {
  const box = await createBox(scenario);
  try {
    await start(box);
    return await costsOf(box);
  } finally {
    await box.wipe();
  }
}

async function threeServers(first: BoxWithLab): Promise<readonly [Box, Box, Box]> {
  await first.startServer('--cluster-init');
  const token = (await first.sh('cat /var/lib/kagent/server/token')).trim();
  const joined: Box[] = [];
  for (const [name, lastByte] of [['s2', 12] as const, ['s3', 13] as const]) {
    const box = await first.addBox(name, lastByte);
    await box.startServer('--server', `https://${first.host.address}:9345`, '--token', token);
    joined.push(box);
  }
  return [first, ...joined] as unknown as [Box, Box, Box];
}

interface Status {
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number };
}

async function leads(box: Box): Promise<boolean> {
  const { code, stdout } = await box.kagent(['etcdctl', 'endpoint', 'status', '-w', 'json']);
  if (code !== 0) return false;
  // The ids are larger than a number is exact: as texts they are one or not.
  const [status] = JSON.parse(stdout.replaceAll(/:(\d{16,})/g, ':"$1"')) as readonly Status[];
  return status?.Status.leader === status?.Status.header.member_id;
}

/** The longest time, in milliseconds, in which none of four clients was answered after the leader was lost. */
async function failover(servers: readonly Box[]): Promise<number> {
  const leading = await Promise.all(servers.map(leads));
  const leader = servers[leading.indexOf(true)];
  const other = servers.find((box) => box !== leader);
  if (leader === undefined || other === undefined) throw new Error('no server leads');
  const client = writing(other, '20', '4', '20');
  await delay(4000);
  const fromMs = Date.now();
  await leader.host.off();
  const writes = JSON.parse(await client) as readonly Write[];
  const answered = writes.map(({ answeredMs }) => answeredMs).toSorted((a, b) => a - b);
  await leader.host.up();
  await leader.startServer();
  await eventually(async () => (await Promise.all(servers.map(leads))).includes(true), { withinMs: 60_000 });
  const pauses = answered.slice(1).map((atMs, index) => (atMs < fromMs ? 0 : atMs - (answered[index] ?? atMs)));
  return Math.max(...pauses);
}

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
const row = (name: string, { aSecond, p50, p99, atRest }: Costs) => {
  const sum = (value: (one: Sample) => number) => atRest.reduce((total, one) => total + value(one), 0);
  const cpu = sum((one) => one.cpuSeconds).toFixed(2);
  const written = (sum((one) => one.writtenBytes) / 1024).toFixed(0);
  return `| ${name} | ${aSecond.toFixed(0)} | ${p50} / ${p99} | ${mib(sum((one) => one.pssBytes))} / ${mib(sum((one) => one.anonymousBytes))} | ${cpu} | ${written} |`;
};

const own = await measured('bench-servers-own', (box) => box.startServer());
const onPostgres = await measured('bench-servers-postgres', async (box) => {
  const database = await postgres(box);
  await database.start();
  await box.startServer(...database.flags);
});
const lab = await createBox('bench-servers');
let three: Costs;
const failovers: number[] = [];
try {
  const servers = await threeServers(lab);
  three = await costsOf(lab);
  for (let run = 0; run < Number(values.runs); run++) failovers.push(await failover(servers));
} finally {
  await lab.wipe();
}
process.stdout.write(`${cpus().length} × ${cpus()[0]?.model}; ${values.clients} clients

| cluster | writes a second | p50 / p99, ms | first server at rest: PSS / anonymous, MiB | CPU-s a minute | written, KiB a minute |
| --- | --: | --: | --: | --: | --: |
${row('one server, its own datastore', own)}
${row('three servers, etcd', three)}
${row('one server, PostgreSQL beside it', onPostgres)}

the leader loses its power, ${failovers.length} times: no write is answered for ${percentile(failovers, 0.5)} ms (median), ${Math.max(...failovers)} ms (worst)
`);
const results = resolve(import.meta.dirname, '../../dist/bench');
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'servers.json'), JSON.stringify({ own, three, onPostgres, failovers }, null, 2));
