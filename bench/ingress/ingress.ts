/**
 * What an Ingress costs: `sudo node bench/ingress/ingress.ts [--rounds 3] [--seconds 10] [--connections 16]`, with dist/kagent built. One
 * server; the pod that is asked is CoreDNS, whose health answers over HTTP: straight at its address, through Traefik at the host's, in
 * turns. Who asks runs on the same processors, so the two are worth more beside each other than alone.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCluster } from '../../test/helpers/cluster.ts';
import { eventually } from '../../test/helpers/wait.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '16' },
  },
});

interface Result {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const host = 'health.example';
const routed = `
apiVersion: v1
kind: Service
metadata: { name: health, namespace: kube-system }
spec: { selector: { k8s-app: kube-dns }, ports: [{ port: 8080 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: health, namespace: kube-system }
spec:
  rules:
  - host: ${host}
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: health, port: { number: 8080 } } } }] }
`;

const box = await createCluster('bench-ingress');
try {
  const kubectl = (...args: readonly string[]) => box.kubectl('-n', 'kube-system', ...args);
  await kubectl('rollout', 'status', 'deployment/coredns', '--timeout=60s');
  await eventually(async () => (await box.tryKubectl('get', 'deploy', '-n', 'kube-system', 'traefik')).code === 0, {
    withinMs: 60_000,
  });
  const beganMs = performance.now();
  await box.apply(routed);
  const through = `http://${box.host.address}/health`;
  const ask = ['curl', '-sf', '-m', '2', '-o', '/dev/null', '-H', `host: ${host}`, through];
  await eventually(async () => (await box.host.exec(ask)).code === 0, { withinMs: 120_000, everyMs: 50 });
  const firstMs = performance.now() - beganMs;
  const memoryMiB = async () =>
    Number(await box.sh(`awk '/^RssAnon/ {print $2}' /proc/$(pgrep -xo traefik)/status`)) / 1024;
  const restingMiB = await memoryMiB();
  const podIp = await kubectl('get', 'pods', '-l', 'k8s-app=kube-dns', '-o', 'jsonpath={.items[0].status.podIP}');
  const load = async (url: string) => {
    const args = [url, host, values.connections, values.seconds];
    const timeoutMs = Number(values.seconds) * 1000 + 30_000;
    const { stdout } = await box.host.exec([process.execPath, join(import.meta.dirname, 'load.ts'), ...args], {
      timeoutMs,
    });
    return JSON.parse(stdout) as Result;
  };
  const ways = { 'straight to the pod': `http://${podIp}:8080/health`, 'through Traefik': through };
  const results = new Map<string, Result[]>(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [way, url] of Object.entries(ways)) results.get(way)?.push(await load(url));
  const column = (of: readonly Result[], key: keyof Result, digits: number) =>
    of.map((one) => one[key].toFixed(digits)).join(', ');
  const rows = [...results].map(
    ([way, of]) =>
      `| ${way} | ${column(of, 'perSecond', 0)} | ${column(of, 'p50Ms', 2)} | ${column(of, 'p99Ms', 2)} | ${column(of, 'failed', 0)} |`,
  );
  const status = await kubectl('exec', 'deploy/traefik', '--', '/traefik', 'version').catch(String);
  process.stdout.write(`${status}
From the Ingress to the first answer: ${firstMs.toFixed(0)} ms; anonymous memory of Traefik: ${restingMiB.toFixed(0)} MiB then, ${(await memoryMiB()).toFixed(0)} MiB after the load

| ${values.connections} connections | requests a second | p50, ms | p99, ms | failed |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`);
} finally {
  await box.wipe();
}
