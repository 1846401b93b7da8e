/**
 * What a box at rest holds and does: `sudo node bench/idle/idle.ts [--node server|agent] [--rest 180] [--window 60] [--flag FLAG …]`, with
 * dist/kagent built. Starts a cluster on new boxes, stops it, drops the page cache, starts it again (a freshly written file is
 * mapped in large pieces, which inflates PSS), rests, and then looks at every process of the server's box, or of an agent's:
 * memory once, CPU and writes over the window.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createNodes } from '../../test/helpers/cluster.ts';
import type { Box } from '../../test/helpers/cluster.ts';
import { perMinute, sampleHost } from '../samples.ts';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: 'server' },
    rest: { type: 'string', default: '180' },
    window: { type: 'string', default: '60' },
    flag: { type: 'string', multiple: true, default: [] },
  },
});
const windowSeconds = Number(values.window);
const isAgent = values.node === 'agent';
const peer = isAgent
  ? '| k3s, for comparison | 192 | 61 | 0.53 | |'
  : '| k3s, for comparison | 448 | 294 | 2.1 | 666 |';

async function stop(box: Box): Promise<void> {
  await box.signal((await box.status()).pid, 'TERM');
  await box.running().exited;
}

const nodes = await createNodes('bench-idle', { agents: isAgent ? 1 : 0 });
try {
  const { server, agents } = nodes;
  const box = agents[0] ?? server;
  await server.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');
  const flags = await nodes.joinFlags();
  for (const one of [...agents, server]) await stop(one);
  await box.sh('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  await server.startServer(...values.flag);
  for (const agent of agents) await agent.startAgent(...flags);
  await delay(Number(values.rest) * 1000);
  const before = sampleHost(box.host);
  await delay(windowSeconds * 1000);
  const rows = perMinute(before, sampleHost(box.host), windowSeconds);
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const line = (name: string, of: readonly (typeof rows)[number][]) => {
    const sum = (value: (row: (typeof rows)[number]) => number) => of.reduce((total, row) => total + value(row), 0);
    const kib = (sum((row) => row.writtenBytes) / 1024).toFixed(0);
    const cpu = sum((row) => row.cpuSeconds).toFixed(2);
    return `| ${name} | ${mib(sum((row) => row.pssBytes))} | ${mib(sum((row) => row.anonymousBytes))} | ${cpu} | ${kib} |`;
  };
  const own = rows.toSorted((a, b) => b.pssBytes - a.pssBytes);
  const table = `| process | PSS, MiB | anonymous, MiB | CPU-s a minute | written, KiB a minute |
| --- | --: | --: | --: | --: |
${own.map((row) => line(row.name, [row])).join('\n')}
${line('**all of kagent**', own)}
${peer}
`;
  process.stdout.write(table);
  const results = resolve(import.meta.dirname, '../../dist/bench');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, isAgent ? 'idle-agent.json' : 'idle.json'), JSON.stringify(rows, null, 2));
} finally {
  await nodes.wipe();
}
