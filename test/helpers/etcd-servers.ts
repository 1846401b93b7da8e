/** A kagent datastore and a real etcd, started the same way, for tests that hold one against the other. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { startDatastore } from '../../src/datastore/threads.ts';
import { TestClient } from './etcd-client.ts';

export interface TestServer {
  readonly address: string;
  stop(): Promise<void>;
}

export async function startKagent(dir: string): Promise<TestServer> {
  const address = `unix://${join(dir, 'store.sock')}`;
  const datastore = await startDatastore({
    dir,
    listen: [address],
    onFatal: (error) => {
      throw error;
    },
  });
  return { address, stop: () => datastore.stop() };
}

const etcdBinary = process.env['KAGENT_TEST_ETCD'] ?? resolve(import.meta.dirname, '../../dist/components/bin/etcd');

export async function startEtcd(dir: string): Promise<TestServer> {
  if (!existsSync(etcdBinary)) {
    throw new Error(`${etcdBinary} is missing: build it with \`node scripts/build/bundle.ts --only etcd\``);
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [client, peer] = [await freePort(), await freePort()];
  const address = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const flags = {
    'data-dir': join(dir, 'etcd'),
    name: 'etcd',
    'log-level': 'error',
    'listen-client-urls': address,
    'advertise-client-urls': address,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `etcd=${peerUrl}`,
  };
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const child = spawn(etcdBinary, [...args, '--unsafe-no-fsync']);
  await answers(address, child);
  return { address, stop: () => end(child) };
}

/** Both, by name: for `describe.each`. */
export const etcds = [
  ['kagent', startKagent],
  ['etcd', startEtcd],
] as const;

/** Until it answers, or has ended. */
async function answers(address: string, child: ChildProcess): Promise<void> {
  let output = '';
  child.stderr?.on('data', (text: Buffer) => (output += text.toString()));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`etcd ended: ${output}`);
    const client = new TestClient(address);
    try {
      await client.currentRevision();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 20));
    } finally {
      await client.close();
    }
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await exited;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** The memory that a child holds now. */
export function rssMiB({ pid }: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}
