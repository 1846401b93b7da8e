/**
 * On the server's box: makes so many claims with a pod each at once, waits until all pods have written, deletes them, and so on:
 * `node rounds.ts IMAGE ROUNDS AT_ONCE`. Prints, as JSON, the milliseconds of each; when a pod has written, the file's own time tells.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKubeClient, Reflector } from '../../src/kube/kube.ts';
import type { KubeObject } from '../../src/kube/kube.ts';
import { readKubeconfig } from '../kube.ts';

export interface Result {
  /** From the request that makes the claim until it is bound. */
  readonly bound: readonly number[];
  /** From the same until its pod has written into the volume. */
  readonly written: readonly number[];
  /** The same of a pod with a folder that needs no claim. */
  readonly unclaimed: readonly number[];
  /** From the request that deletes pod and claim until the folder is gone. */
  readonly gone: readonly number[];
}

interface Claim extends KubeObject {
  readonly status?: { readonly phase?: string };
}

const [, , image = '', rounds = '', atOnce = ''] = process.argv;
const core = '/api/v1/namespaces/bench';
const storage = '/var/lib/kagent/storage';
const unclaimedDir = '/var/lib/kagent/bench';
const lookMs = 2;

const { url, ...credentials } = readKubeconfig();
const kube = createKubeClient({ url, credentials: () => credentials });
const stopping = new AbortController();
const claims = new Reflector<Claim>(`${core}/persistentvolumeclaims`);
const boundAtMs = new Map<string, number>();
claims.onChange(({ after }) => {
  const { name = '' } = after?.metadata ?? {};
  if (after?.status?.phase === 'Bound' && !boundAtMs.has(name)) boundAtMs.set(name, Date.now());
});
const listed = Promise.withResolvers<void>();
const following = claims.follow(kube, listed.resolve, stopping.signal);
await listed.promise;

const claim = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
});
const pod = (name: string, source: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'writer',
        image,
        command: ['sh', '-c', 'touch /data/written; exec sleep 3600'],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', ...source }],
  },
});

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 300_000;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error(`it is not so after five minutes: ${isSo.toString()}`);
    await delay(lookMs);
  }
}

/** @returns from `fromMs` until the pod's file was made */
async function writtenMs(folder: string, fromMs: number): Promise<number> {
  await until(() => existsSync(join(folder, 'written')));
  return statSync(join(folder, 'written')).mtimeMs - fromMs;
}

async function claimed(name: string) {
  const fromMs = Date.now();
  const { metadata } = await kube.create(`${core}/persistentvolumeclaims`, claim(name));
  await kube.create(`${core}/pods`, pod(name, { persistentVolumeClaim: { claimName: name } }));
  const folder = join(storage, `pvc-${metadata.uid}_bench_${name}`);
  const written = await writtenMs(folder, fromMs);
  await until(() => boundAtMs.has(name));
  return { name, folder, written, bound: (boundAtMs.get(name) ?? Number.NaN) - fromMs };
}

async function goneMs(name: string, folder: string): Promise<number> {
  const fromMs = Date.now();
  await kube.delete(`${core}/pods/${name}`);
  await kube.delete(`${core}/persistentvolumeclaims/${name}`);
  await until(() => !existsSync(folder));
  return Date.now() - fromMs;
}

async function unclaimedMs(name: string): Promise<number> {
  const path = join(unclaimedDir, name);
  mkdirSync(path, { recursive: true });
  const fromMs = Date.now();
  await kube.create(`${core}/pods`, pod(name, { hostPath: { path } }));
  return await writtenMs(path, fromMs);
}

const result = { bound: [] as number[], written: [] as number[], unclaimed: [] as number[], gone: [] as number[] };
for (let round = 0; round < Number(rounds); round++) {
  const names = Array.from({ length: Number(atOnce) }, (_, at) => `of-${atOnce}-${round}-${at}`);
  const made = await Promise.all(names.map((name) => claimed(name)));
  result.bound.push(...made.map(({ bound }) => bound));
  result.written.push(...made.map(({ written }) => written));
  result.gone.push(...(await Promise.all(made.map(({ name, folder }) => goneMs(name, folder)))));
  const others = names.map((name) => `plain-${name}`);
  result.unclaimed.push(...(await Promise.all(others.map((name) => unclaimedMs(name)))));
  await Promise.all(others.map((name) => kube.delete(`${core}/pods/${name}`)));
}
stopping.abort();
await following.catch(() => {}); // it ends with the signal
kube.close();
process.stdout.write(JSON.stringify(result));
