/** The servers that are measured: what each promises, how it is started, and that it is ended. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient } from '../../test/helpers/etcd-client.ts';
import { end, freePort } from '../../test/helpers/etcd-servers.ts';

const repository = resolve(import.meta.dirname, '../..');
export const executable = join(repository, 'dist/kagent');

interface Place {
  readonly dir: string;
  /** `http://127.0.0.1:PORT`, or `unix://PATH` of a socket in `dir`. */
  readonly address: string;
  readonly peerPort: number;
}

export interface Server {
  readonly name: string;
  /** What is on disk when a write is answered. */
  readonly durability: string;
  readonly command: (place: Place) => readonly string[];
}

const synced = 'every write is on disk before its answer';
const kineParameters = (synchronous: string) =>
  `_journal_mode=WAL&_busy_timeout=30000&_synchronous=${synchronous}&_txlock=immediate&_stmt_cache_size=20&cache=shared`;
const kine = (synchronous: string) => (place: Place) => [
  join(repository, 'dist/test/bin/kine'),
  `--listen-address=${place.address.replace('http:', 'tcp:')}`,
  `--endpoint=sqlite://${place.dir}/state.db?${kineParameters(synchronous)}`,
  '--metrics-bind-address=0',
];
const serve = ({ dir, address }: Place) => ['datastore', 'serve', '--data-dir', dir, '--listen', address];

/** Passed to Node where kagent runs from its sources: a profile for each thread, for instance. */
export const nodeFlags: string[] = [];

export const servers: readonly Server[] = [
  {
    name: 'kagent',
    durability: `${synced} (SQLite's WAL, synchronous=FULL, one fsync for all writes that wait)`,
    command: (place) => [process.execPath, ...nodeFlags, join(repository, 'src/main.ts'), ...serve(place)],
  },
  {
    name: 'kagent-file',
    durability: `as kagent; the released file`,
    command: (place) => [executable, ...serve(place)],
  },
  {
    name: 'etcd',
    durability: `${synced} (raft log, one fsync for all writes that wait): its default`,
    command: (place) => [
      join(repository, 'dist/components/bin/etcd'),
      `--data-dir=${place.dir}`,
      `--listen-client-urls=${etcdUrl(place.address)}`,
      `--advertise-client-urls=${etcdUrl(place.address)}`,
      `--listen-peer-urls=http://127.0.0.1:${place.peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${place.peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${place.peerPort}`,
      `--quota-backend-bytes=${8 * 2 ** 30}`,
      '--log-level=error',
    ],
  },
  {
    name: 'kine',
    durability:
      "not on disk before its answer (SQLite's WAL, synchronous=NORMAL): its default; a power cut loses writes",
    command: kine('NORMAL'),
  },
  {
    name: 'kine-full',
    durability: `${synced} (SQLite's WAL, synchronous=FULL, one fsync for each write)`,
    command: kine('FULL'),
  },
];

/** etcd takes no path in the URL of a socket: a name in its working directory. */
function etcdUrl(address: string): string {
  return address.startsWith('unix:') ? `unix://${address.slice(address.lastIndexOf('/') + 1)}` : address;
}

export interface RunningServer extends Server {
  readonly address: string;
  readonly pid: number;
  readonly dir: string;
  /** From the start of the process to the first answer. */
  readonly startMs: number;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a server on a folder, new or of an earlier run, and waits for its first answer. */
export async function startServer(server: Server, dir: string, isUnix: boolean): Promise<RunningServer> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const address = isUnix ? `unix://${join(dir, `client.sock:${port}`)}` : `http://127.0.0.1:${port}`;
  const [file = '', ...args] = server.command({ dir, address, peerPort: await freePort() });
  if (!existsSync(file)) throw new Error(`${file} is missing`);
  const logPath = `${dir}.log`;
  const log = openSync(logPath, 'w');
  const startedAt = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', log, log], cwd: dir });
  closeSync(log);
  running.add(child);
  child.once('exit', () => running.delete(child));
  await firstAnswer(address, () => {
    if (child.exitCode !== null) throw new Error(`${server.name} ended: ${readFileSync(logPath, 'utf8')}`);
  });
  const startMs = performance.now() - startedAt;
  return { ...server, address, dir, startMs, pid: child.pid ?? 0, stop: () => end(child) };
}

const startTimeoutMs = 60_000;

async function firstAnswer(address: string, checkAlive: () => void): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    checkAlive();
    const client = new TestClient(address);
    try {
      await client.currentRevision();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(2);
    } finally {
      await client.close();
    }
  }
}
