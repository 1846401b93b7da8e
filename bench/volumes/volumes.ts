/**
 * How soon a claim has its volume: `sudo node bench/volumes/volumes.ts [--rounds 20] [--at-once 50]`, with dist/kagent built. From the
 * request that makes a claim and a pod until the claim is bound, and until the pod has written into the volume; from the request
 * that deletes both until the folder is gone. Beside them, in turns, the same pod with a folder of the node that needs no claim.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { busyboxImage, createCluster } from '../../test/helpers/cluster.ts';
import { percentile } from '../percentile.ts';
import type { Result } from './rounds.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, 'at-once': { type: 'string', default: '50' } },
});

const figures = (times: readonly number[]) => [0.5, 0.99].map((part) => percentile(times, part).toFixed(0)).join(' | ');

const box = await createCluster('bench-volumes');
try {
  await box.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');
  await box.kubectl('create', 'namespace', 'bench');
  const measure = async (rounds: string, atOnce: string) => {
    const args = [await busyboxImage(), rounds, atOnce];
    const command = [process.execPath, join(import.meta.dirname, 'rounds.ts'), ...args];
    return JSON.parse(await box.host.must(command, { timeoutMs: 900_000 })) as Result;
  };
  const rows = (result: Result, circumstances: string) =>
    (
      [
        ['claim bound', result.bound],
        ['pod has written into its volume', result.written],
        ['the same without a claim', result.unclaimed],
        ['both deleted, folder gone', result.gone],
      ] as const
    ).map(([what, times]) => `| ${what}, ${circumstances} | ${figures(times)} |`);
  const one = await measure(values.rounds, '1');
  const many = await measure('1', values['at-once']);
  process.stdout.write(`| milliseconds | p50 | p99 |
| --- | --- | --- |
${[...rows(one, `${values.rounds} one after another`), ...rows(many, `${values['at-once']} at once`)].join('\n')}
`);
} finally {
  await box.wipe();
}
