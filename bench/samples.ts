/** What the processes of one host of the lab hold and have used. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cpuAndMemory } from '../src/host/process/process.ts';
import type { LabHost } from '../test/helpers/lab.ts';

export interface Sample {
  readonly name: string;
  readonly cpuSeconds: number;
  readonly writtenBytes: number;
  readonly pssBytes: number;
  readonly anonymousBytes: number;
}
/** By pid. */
export type Samples = ReadonlyMap<string, Sample>;

/** Every process of the host, found by its pid namespace; pods have their own, and so are left out, as in k3s's figures. */
export function sampleHost(host: LabHost): Samples {
  const init = readFileSync(join(host.dir, 'pid'), 'utf8').trim();
  const namespace = readlinkSync(`/proc/${init}/ns/pid`);
  const found = new Map<string, Sample>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== init)) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) continue;
      const [command = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const usage = cpuAndMemory(Number(pid));
      const written = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
      if (usage === undefined || command === 'sleep') continue;
      const name = command === process.execPath ? script : command;
      found.set(pid, { name: basename(name), writtenBytes: Number(written), ...usage });
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

/** Of each process that is there at the end: memory as it is then, CPU and writes as a minute's worth of the window. */
export function perMinute(before: Samples, after: Samples, windowSeconds: number): readonly Sample[] {
  return [...after].map(([pid, now]) => {
    const then = before.get(pid);
    return {
      ...now,
      cpuSeconds: ((now.cpuSeconds - (then?.cpuSeconds ?? 0)) * 60) / windowSeconds,
      writtenBytes: ((now.writtenBytes - (then?.writtenBytes ?? 0)) * 60) / windowSeconds,
    };
  });
}
