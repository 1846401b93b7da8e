/**
 * On the server's box: makes a policy that closes the pod `web`, removes it, and so on, while a connection is tried from the pod
 * `client` every few milliseconds: `node rounds.ts ROUNDS ADDRESS PORT
 * NETWORK`. Prints, as JSON, milliseconds from the request to
 * the first attempt that fails, and to the first that succeeds again.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKubeClient } from '../../src/kube/kube.ts';
import { readKubeconfig } from '../kube.ts';

const [, , rounds = '', address = '', port = '', network = ''] = process.argv;
const { url, ...credentials } = readKubeconfig();
const kube = createKubeClient({ url, credentials: () => credentials });
const policies = '/apis/networking.k8s.io/v1/namespaces/bench/networkpolicies';
const closed = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed' },
  spec: { podSelector: { matchLabels: { app: 'web' } } },
};
const apartMs = 1500;

const connects = spawn('nsenter', [
  `--net=${network}`,
  process.execPath,
  join(import.meta.dirname, 'connects.ts'),
  address,
  port,
  'watch',
]);
const seen: { readonly atMs: number; readonly isOpen: boolean }[] = [];
createInterface({ input: connects.stdout }).on('line', (line) => {
  const [atMs, isOpen] = line.split(' ');
  seen.push({ atMs: Number(atMs), isOpen: isOpen === 'true' });
});

/** From the request until attempts are answered so; those that began before it do not count. */
async function untilEffect(isOpen: boolean, change: () => Promise<unknown>): Promise<number> {
  const fromMs = Date.now();
  await change();
  await delay(apartMs);
  const first = seen.filter((one) => one.atMs >= fromMs && one.isOpen === isOpen).map(({ atMs }) => atMs);
  if (first.length === 0) throw new Error(`nothing is ${isOpen ? 'open' : 'closed'} ${apartMs} ms after the change`);
  return Math.min(...first) - fromMs;
}

await delay(apartMs);
const closing: number[] = [];
const opening: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  closing.push(await untilEffect(false, () => kube.create(policies, closed)));
  opening.push(await untilEffect(true, () => kube.delete(`${policies}/closed`)));
}
connects.kill();
kube.close();
process.stdout.write(JSON.stringify({ closing, opening }));
