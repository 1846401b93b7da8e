/**
 * What a server at rest holds and does: `sudo node bench/idle/idle.ts [--rest 180] [--window 60]`, with dist/kagent built.
 * Starts a cluster on a new box, stops it, drops the page cache, starts it again (a freshly written file is mapped in large
 * pieces, which inflates PSS), rests, and then looks at every process: memory once, CPU and writes over the window.
 */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuAndMemory } from '../../src/shared/process/process.ts';
import { createBox } from '../../test/helpers/cluster.ts';

const { values } = parseArgs({
  options: { rest: { type: 'string', default: '180' }, window: { type: 'string', default: '60' } },
});
const windowSeconds = Number(values.window);

interface Sample {
  readonly name: string;
  readonly cpuSeconds: number;
  readonly writtenBytes: number;
  readonly pssBytes: number;
  readonly anonymousBytes: number;
}

/** Every process of the box, found by its pid namespace; pods have their own, and so are left out, as in k3s's figures. */
function samples(initPid: string): ReadonlyMap<string, Sample> {
  const namespace = readlinkSync(`/proc/${initPid}/ns/pid`);
  const found = new Map<string, Sample>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== initPid)) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) continue;
      const [command = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const usage = cpuAndMemory(Number(pid));
      const written = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
      if (usage === undefined || command === 'sleep') continue;
      found.set(pid, { name: basename(command), writtenBytes: Number(written), ...usage });
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

const box = await createBox('bench-idle');
try {
  await box.startServer();
  await box.kubectl('rollout', 'status', '-n', 'kube-system', 'deployment/coredns', '--timeout=60s');
  const first = await box.status();
  await box.signal(first.pid, 'TERM');
  while ((await box.host.exec(['test', '-e', '/run/kagent/kagent.sock'])).code === 0) await delay(100);
  await box.sh('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  await box.startServer();
  await delay(Number(values.rest) * 1000);
  const init = readFileSync(join(box.host.dir, 'pid'), 'utf8').trim();
  const before = samples(init);
  await delay(windowSeconds * 1000);
  const after = samples(init);

  const rows = [...after].map(([pid, now]) => {
    const then = before.get(pid);
    return {
      ...now,
      cpuSeconds: ((now.cpuSeconds - (then?.cpuSeconds ?? 0)) * 60) / windowSeconds,
      writtenBytes: ((now.writtenBytes - (then?.writtenBytes ?? 0)) * 60) / windowSeconds,
    };
  });
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
| k3s, for comparison | 448 | 294 | 2.1 | 666 |
`;
  process.stdout.write(table);
  const results = resolve(import.meta.dirname, '../../dist/bench');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'idle.json'), JSON.stringify(rows, null, 2));
} finally {
  await box.wipe();
}
