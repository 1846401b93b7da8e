/**
 * How long a box takes to join: `sudo node bench/join/join.ts [--rounds 3]`, with dist/kagent built. A server runs on a host
 * of the lab, with a pod waiting for the node that will be `a1`; there, each round starts an agent three times:
 *   file       nothing is unpacked: from the released file
 *   unpacked   the components are unpacked, the node is new
 *   restart    the same node again, after a boot
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createNodes } from '../../test/helpers/cluster.ts';
import type { Box, Nodes } from '../../test/helpers/cluster.ts';
import { startRows, timelineRows } from '../starts.ts';
import type { Start } from '../starts.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const repository = resolve(import.meta.dirname, '../..');
const steps = ['nodeReady', 'podServing', 'allReady'] as const;

type TimedStart = Start<(typeof steps)[number]>;

const waiting = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      nodeSelector: { kubernetes.io/hostname: a1 }
      containers:
      - name: web
        image: IMAGE
        command: [sh, -c, 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www']
`;

/** One start, watched from the server's box, by the same clock. */
async function start({ server }: Nodes, box: Box, flags: readonly string[]): Promise<TimedStart> {
  const probe = server.run([process.execPath, join(import.meta.dirname, 'probe.ts'), 'a1', 'web']);
  const startedAtMs = Date.now();
  await box.startAgent(...flags);
  if ((await probe.exited) !== 0) throw new Error(probe.output());
  const seen = JSON.parse(probe.output()) as { readonly nodeReady: number; readonly podServing: number };
  const { components } = await box.status();
  const allReady = Math.max(...components.map(({ readyAtMs = 0 }) => readyAtMs));
  const times = { nodeReady: seen.nodeReady - startedAtMs, podServing: seen.podServing - startedAtMs, allReady };
  return { times, timeline: components };
}

/** The agent ends as by a power cut; what is on the disk stays. */
async function reboot(box: Box): Promise<void> {
  await box.host.off();
  await box.host.up();
}

async function forgetNode({ server }: Nodes, box: Box): Promise<void> {
  await box.sh('rm -rf /var/lib/kagent/agent /var/lib/kubelet/*');
  await server.kagent(['node', 'rm', 'a1', '--force']);
  await server.kubectl('delete', 'pod', '-l', 'app=web', '--force', '--grace-period=0');
}

const starts: Record<string, TimedStart[]> = { file: [], unpacked: [], restart: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  const nodes = await createNodes(`bench-join-${round}`, { agents: 0 });
  try {
    const box = await nodes.addBox('a1', 21);
    const flags = await nodes.joinFlags();
    await nodes.server.apply(waiting);
    starts['file']?.push(await start(nodes, box, flags));
    await reboot(box);
    await forgetNode(nodes, box);
    starts['unpacked']?.push(await start(nodes, box, flags));
    await reboot(box);
    starts['restart']?.push(await start(nodes, box, flags));
  } finally {
    await nodes.wipe();
  }
}

process.stdout.write(`${cpus().length} × ${cpus()[0]?.model}; seconds from the start of \`kagent agent\`: median (each)

| start | node Ready | first pod serving | all components |
| --- | --- | --- | --- |
${startRows(starts, steps)}

Where the time goes (the last start of a new node, unpacked):

| component | from | ready | took |
| --- | --- | --- | --- |
${timelineRows(starts['unpacked']?.at(-1))}
`);
mkdirSync(join(repository, 'dist/bench'), { recursive: true });
writeFileSync(join(repository, 'dist/bench/join.json'), JSON.stringify(starts, null, 2));
