/** The process is killed without warning, again and again: what was acknowledged is there, and revisions never go back. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TestClient } from '../../helpers/etcd-client.ts';
import { end } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const kills = 20;
const writers = 8;
const program = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');

test(`no acknowledged write is lost over ${kills} kills`, { timeout: 120_000 }, async () => {
  const dir = temporaryDir();
  const address = `unix://${join(dir, 'store.sock')}`;
  const acknowledged = new Map<string, { value: number; revision: number }>();
  let highestSeen = 0;
  for (let round = 0; round < kills; round += 1) {
    const server = await serve(dir, address);
    try {
      const client = new TestClient(address);
      highestSeen = await check(client, acknowledged, highestSeen);
      const signal = { isOver: false };
      const busy = Array.from({ length: writers }, (_, writer) => write(client, `${writer}`, acknowledged, signal));
      await delay(50 + Math.random() * 250);
      server.kill('SIGKILL');
      signal.isOver = true;
      await Promise.all(busy);
      await client.close();
    } finally {
      await end(server, 'SIGKILL');
    }
  }
  const server = await serve(dir, address);
  const client = new TestClient(address);
  await check(client, acknowledged, highestSeen);
  expect(acknowledged.size).toBe(writers);
  await client.close();
  await end(server);
  expect(server.exitCode).toBe(0);
});

async function serve(dir: string, address: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, dir, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(line.toString()).toBe('ready\n');
  return child;
}

/** Counts its key up until the connection breaks; what was not answered may or may not be there later. */
async function write(
  client: TestClient,
  key: string,
  acknowledged: Map<string, { value: number; revision: number }>,
  signal: { readonly isOver: boolean },
): Promise<void> {
  let value = acknowledged.get(key)?.value ?? 0;
  while (!signal.isOver) {
    value += 1;
    try {
      const { revision } = await client.put(key, String(value));
      acknowledged.set(key, { value, revision });
    } catch {
      return;
    }
  }
}

async function check(
  client: TestClient,
  acknowledged: ReadonlyMap<string, { value: number; revision: number }>,
  highestSeen: number,
): Promise<number> {
  let revision = highestSeen;
  for (const [key, promised] of acknowledged) {
    const answer = await client.range(key);
    const [kv] = answer.kvs;
    expect(answer.revision).toBeGreaterThanOrEqual(Math.max(highestSeen, promised.revision));
    expect(Number(Buffer.from(kv?.value ?? []).toString())).toBeGreaterThanOrEqual(promised.value);
    revision = Math.max(revision, answer.revision);
  }
  return revision;
}
