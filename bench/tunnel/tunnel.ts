/**
 * What passes the tunnel to an agent: `sudo node bench/tunnel/tunnel.ts [--rounds 3]`, with dist/kagent built. A pod on a second
 * host of the lab serves a gigabyte; on the server's host it is read by way of kube-apiserver's door to the tunnel, which is
 * what `kubectl logs` and `exec` come through. Three hosts' worth of kagent share this machine.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createNodes, type Box } from '../../test/helpers/cluster.ts';
import { podsOf } from '../../test/helpers/nodes.ts';
import { processesOf } from '../../test/helpers/processes.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const goalMegabytes = 200;

const serving = `
apiVersion: v1
kind: Pod
metadata: { name: gigabyte, labels: { app: gigabyte } }
spec:
  nodeName: a1
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: IMAGE
    command: [sh, -c, 'mkdir /www; dd if=/dev/zero of=/www/file bs=1M count=1000 2>/dev/null; exec httpd -f -p 80 -h /www']
    readinessProbe: { httpGet: { path: /file, port: 80, httpHeaders: [{ name: Range, value: bytes=0-9 }] }, periodSeconds: 1 }
`;

/** Anonymous memory of the box's kagent itself, MiB: now, and the most it ever held in all. */
function memory(box: Box): { readonly anonymous: number; readonly peakRss: number } {
  const own = processesOf(box).find(({ commandLine }) => /\/kagent (server|agent)/.test(commandLine));
  const figure = (file: string, key: string) => {
    const text = readFileSync(box.path(`/proc/${own?.pid}/${file}`), 'utf8');
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  };
  return { anonymous: figure('smaps_rollup', 'Anonymous'), peakRss: figure('status', 'VmHWM') };
}

const nodes = await createNodes('bench-tunnel', { agents: 1 });
try {
  const boxes = [nodes.server, ...nodes.agents];
  await nodes.server.apply(serving);
  await nodes.server.kubectl('wait', 'pod/gigabyte', '--for=condition=Ready', '--timeout=60s');
  const [pod] = await podsOf(nodes.server, 'app=gigabyte');
  const reader = join(import.meta.dirname, 'read.ts');
  const before = boxes.map(memory);
  const rates: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const said = await nodes.server.host.must([process.execPath, reader, pod?.status.podIP ?? '', '/file']);
    rates.push(Number(said));
  }
  const after = boxes.map(memory);
  const rows = boxes.map(({ host }, index) => {
    const [then, now] = [before[index], after[index]];
    const grown = (now?.anonymous ?? 0) - (then?.anonymous ?? 0);
    const peak = (now?.peakRss ?? 0) - (then?.peakRss ?? 0);
    return `| kagent on ${host.name}: anonymous memory and its highest RSS have grown by, MiB | ${grown.toFixed(0)}, ${peak.toFixed(0)} |`;
  });
  const slowest = Math.min(...rates);
  process.stdout.write(`| | |
| --- | --- |
| MB/s, each time a gigabyte | ${rates.map((rate) => rate.toFixed(0)).join(', ')} |
${rows.join('\n')}

${slowest.toFixed(0)} MB/s ${slowest >= goalMegabytes ? 'reach' : 'do not reach'} the goal of ${goalMegabytes}.
`);
} finally {
  await nodes.wipe();
}
