/**
 * How long a start takes: `sudo node bench/start/start.ts [--rounds 3]`, with dist/kagent built.
 * Each round has a new box (a host of the lab) and three starts on it:
 *   file       nothing is unpacked: from the released file
 *   unpacked   the components are unpacked, the cluster is new
 *   restart    the same cluster again
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createBox } from '../../test/helpers/cluster.ts';
import type { BoxWithLab } from '../../test/helpers/cluster.ts';
import { startRows, timelineRows } from '../starts.ts';
import type { Start } from '../starts.ts';
import { openBundle } from '../../src/host/assets/assets.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const repository = resolve(import.meta.dirname, '../..');
const steps = ['apiReady', 'nodeReady', 'podServing', 'allReady'] as const;

type TimedStart = Start<(typeof steps)[number]>;

const bundle = await openBundle(join(repository, 'dist/kagent'));
const image = bundle.manifest.files.find((file) => file.name === 'busybox.tar')?.image ?? '';

async function start(box: BoxWithLab, mode: 'fresh' | 'again'): Promise<TimedStart> {
  const probe = join(import.meta.dirname, 'probe.ts');
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const command = ['env', '-i', path, process.execPath, probe, '/usr/local/bin/kagent', image, mode];
  return JSON.parse(await box.host.must(command, { timeoutMs: 120_000 })) as TimedStart;
}

const removeCluster =
  'kagent killall >/dev/null; rm -rf /var/lib/kagent/server /var/lib/kagent/agent /var/lib/kubelet/* /etc/kagent';
const starts: Record<string, TimedStart[]> = { file: [], unpacked: [], restart: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  const box = await createBox(`bench-start-${round}`);
  try {
    starts['file']?.push(await start(box, 'fresh'));
    await box.sh(removeCluster);
    starts['unpacked']?.push(await start(box, 'fresh'));
    starts['restart']?.push(await start(box, 'again'));
  } finally {
    await box.wipe();
  }
}

process.stdout.write(`${cpus().length} × ${cpus()[0]?.model}; seconds from the start of the process: median (each)

| start | API ready | node Ready | first pod serving | all components |
| --- | --- | --- | --- | --- |
${startRows(starts, steps)}

Where the time goes (the last start of a new cluster, unpacked):

| component | from | ready | took |
| --- | --- | --- | --- |
${timelineRows(starts['unpacked']?.at(-1))}
`);
mkdirSync(join(repository, 'dist/bench'), { recursive: true });
writeFileSync(join(repository, 'dist/bench/start.json'), JSON.stringify(starts, null, 2));
