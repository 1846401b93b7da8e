/**
 * What passes the tunnel to an agent: `sudo node bench/tunnel/tunnel.ts [--rounds 3]`, with dist/kagent built. A pod on a second
 * host of the lab serves a gigabyte; on the server's host it is read by way of kube-apiserver's entry to the tunnel, which is
 * what `kubectl logs` and `exec` come through. Three hosts' worth of kagent share this machine.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createNodes } from '../../test/helpers/cluster.ts';
import { podsOf } from '../../test/helpers/nodes.ts';
import { kagentMemory } from '../../test/helpers/processes.ts';

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

const nodes = await createNodes('bench-tunnel', { agents: 1 });
try {
  const boxes = [nodes.server, ...nodes.agents];
  await nodes.server.apply(serving);
  await nodes.server.kubectl('wait', 'pod/gigabyte', '--for=condition=Ready', '--timeout=60s');
  const [pod] = await podsOf(nodes.server, 'app=gigabyte');
  const reader = join(import.meta.dirname, 'read.ts');
  const before = boxes.map((box) => kagentMemory(box));
  const rates: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const said = await nodes.server.host.must([process.execPath, reader, pod?.status.podIP ?? '', '/file']);
    rates.push(Number(said));
  }
  const after = boxes.map((box) => kagentMemory(box));
  const rows = boxes.map(({ host }, index) => {
    const [then, now] = [before[index], after[index]];
    const grown = (now?.anonymousMiB ?? 0) - (then?.anonymousMiB ?? 0);
    const peak = (now?.peakRssMiB ?? 0) - (then?.peakRssMiB ?? 0);
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
