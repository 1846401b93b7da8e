/**
 * The order of a measurement. All servers of a round are up at once and take turns at each step, so that a noisy machine
 * is noisy for all of them; a server nobody asks does next to nothing.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpuAndMemory } from '../../src/host/process/process.ts';
import { putLoad } from './load.ts';
import type { Load, LoadOptions } from './load.ts';
import { executable, servers, startServer } from './servers.ts';
import type { RunningServer, Server } from './servers.ts';
import type { Figures, Sample } from './summary.ts';

export interface Plan {
  /** The load client's path. */
  readonly client: string;
  readonly servers: readonly Server[];
  readonly only: readonly string[] | undefined;
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly isUnix: boolean;
  /** Its data lie here; on a real disk. */
  readonly dir: string;
  readonly onSample: (sample: Sample) => void;
  /** What could not be measured; the others continue. */
  readonly onFailure: (what: string, error: unknown) => void;
}

/** Measures that share one life of a server, in their order: first those that leave the data as they are. */
const lives = [
  ['get', 'listns', 'list', 'count', 'range', 'stream', 'progress', 'watch', 'lease'],
  ['create'],
  ['update'],
  ['delete'],
  ['mixed'],
] as const;
export const measures = [...lives.flat(), 'memory', 'start'];

const objects = 10_000;
const objectsAtStart = 100_000;
const warmUpSeconds = 0.5;

/** How many clients a measure has where it is not measured with several numbers of them. */
const ownClients: Readonly<Record<string, number>> = { range: 1, stream: 1, progress: 1, watch: 10 };

export async function measureAll(plan: Plan): Promise<void> {
  const isWanted = (measure: string): boolean => plan.only?.includes(measure) ?? true;
  const loaded = isWanted('start') ? await loadForStart(plan) : [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const life of lives) {
      const wanted = life.filter(isWanted);
      if (wanted.length > 0) await measureLife(plan, round, wanted);
    }
    if (isWanted('memory')) await measureMemory(plan, round);
    for (const server of turn(loaded, round)) await measureStart(plan, round, server);
  }
}

/** Each round another server is first. */
function turn<T>(all: readonly T[], round: number): readonly T[] {
  const first = round % Math.max(all.length, 1);
  return [...all.slice(first), ...all.slice(0, first)];
}

async function measureLife(plan: Plan, round: number, wanted: readonly string[]): Promise<void> {
  const started: RunningServer[] = [];
  try {
    for (const server of turn(plan.servers, round)) started.push(await startLoaded(plan, server));
    for (const measure of wanted) {
      const own = ownClients[measure];
      for (const clients of own === undefined ? plan.clients : [own]) {
        for (const server of started) await measureOne(plan, round, server, measure, clients);
      }
    }
  } finally {
    for (const server of started) await stopAndErase(server);
  }
}

async function startLoaded(plan: Plan, server: Server): Promise<RunningServer> {
  const started = await startServer(server, join(plan.dir, server.name), plan.isUnix);
  await putLoad(plan.client, started, { operation: 'load', clients: 50, count: objects });
  return started;
}

async function stopAndErase(server: RunningServer): Promise<void> {
  await server.stop();
  rmSync(server.dir, { recursive: true, force: true });
}

async function measureOne(
  plan: Plan,
  round: number,
  server: RunningServer,
  measure: string,
  clients: number,
): Promise<void> {
  if (measure === 'stream' && server.name.startsWith('kine')) return; // it has no RangeStream
  const options: LoadOptions = { operation: measure, clients, seconds: plan.seconds, warmUpSeconds };
  try {
    const load = await putLoad(plan.client, server, options);
    plan.onSample({ round, server: server.name, measure, clients, figures: figuresOf(load) });
  } catch (error) {
    plan.onFailure(`round ${round}: ${measure} of ${server.name} with ${clients} clients`, error);
  }
}

function figuresOf({ operations, seconds, cpuSeconds, clientCpuSeconds, ...latencies }: Load): Figures {
  const micros = (total: number): number => (total / operations) * 1e6;
  return {
    rate: operations / seconds,
    cpuMicros: micros(cpuSeconds),
    clientCpuMicros: micros(clientCpuSeconds),
    ...latencies,
  };
}

/** With the released file of kagent, which is another thing than its sources where memory and start are concerned. */
function withFile({ servers: chosen }: Plan): readonly Server[] {
  const file = servers.filter(({ name }) => name === 'kagent-file' && existsSync(executable));
  return [...new Set([...chosen, ...file])];
}

/** What a server holds after 20,000 gets, and after 40,000 updates more. */
async function measureMemory(plan: Plan, round: number): Promise<void> {
  const clients = 50;
  for (const server of turn(withFile(plan), round)) {
    const started = await startLoaded(plan, server);
    try {
      await putLoad(plan.client, started, { operation: 'get', clients, count: 20_000 });
      const loaded = cpuAndMemory(started.pid);
      await putLoad(plan.client, started, { operation: 'update', clients, count: 40_000 });
      const updated = cpuAndMemory(started.pid);
      const peakBytes = peakMemory(started.pid);
      await started.stop();
      const figures = {
        rssLoadedBytes: loaded?.rssBytes ?? Number.NaN,
        anonymousLoadedBytes: loaded?.anonymousBytes ?? Number.NaN,
        rssUpdatedBytes: updated?.rssBytes ?? Number.NaN,
        anonymousUpdatedBytes: updated?.anonymousBytes ?? Number.NaN,
        peakBytes,
        filesBytes: sizeOnDisk(started.dir),
      };
      plan.onSample({ round, server: server.name, measure: 'memory', clients, figures });
    } finally {
      await stopAndErase(started);
    }
  }
}

function peakMemory(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

function sizeOnDisk(path: string): number {
  const { blocks } = lstatSync(path);
  const below = lstatSync(path).isDirectory() ? readdirSync(path) : [];
  return below.reduce((sum, name) => sum + sizeOnDisk(join(path, name)), blocks * 512);
}

interface Loaded {
  readonly server: Server;
  readonly dir: string;
}

/** One folder with 100,000 objects for each server. */
async function loadForStart(plan: Plan): Promise<readonly Loaded[]> {
  const loaded: Loaded[] = [];
  for (const server of withFile(plan)) {
    const dir = join(plan.dir, `${server.name}-start`);
    const started = await startServer(server, dir, plan.isUnix);
    await putLoad(plan.client, started, { operation: 'load', clients: 50, count: objectsAtStart });
    await started.stop();
    loaded.push({ server, dir });
  }
  return loaded;
}

async function measureStart(plan: Plan, round: number, { server, dir }: Loaded): Promise<void> {
  const started = await startServer(server, dir, plan.isUnix);
  const { startMs } = started;
  const rssBytes = cpuAndMemory(started.pid)?.rssBytes ?? Number.NaN;
  await started.stop();
  plan.onSample({ round, server: server.name, measure: 'start', clients: 1, figures: { startMs, rssBytes } });
}
