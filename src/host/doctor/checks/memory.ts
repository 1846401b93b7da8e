import { fine, notLooked, note, unreadable, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { memoryMiB } from './reading.ts';

/** A server at rest takes 450 MiB, an agent 190; pods come on top. */
const wantedMiB = { server: 1024, agent: 512 } as const;

export const memoryChecks: readonly Check[] = [
  {
    name: 'memory',
    group: 'Memory and processor',
    title: 'there is memory for kagent and some pods',
    why: 'a box that is too small kills its own pods, and at last the cluster',
    fix: 'run the server on a larger box and let this one join it as an agent',
    isCheap: true,
    look({ root, mode }) {
      const total = memoryMiB(root, 'MemTotal');
      const wanted = wantedMiB[mode];
      if (total === undefined) return unreadable('/proc/meminfo');
      return total < wanted
        ? warning(
            `this box has ${total} MiB of memory; ${mode === 'server' ? 'a server' : 'an agent'} needs ${wanted} MiB to be of use`,
          )
        : fine;
    },
  },
  {
    name: 'memory-free',
    group: 'Memory and processor',
    title: 'enough of the memory is free',
    why: 'kagent would start, and push other programs out or be killed itself',
    fix: 'end what takes so much: ps aux --sort=-rss | head',
    isCheap: true,
    look({ root, mode, isRunning }) {
      if (isRunning) return notLooked('kagent runs, and has what it needs for its start');
      const available = memoryMiB(root, 'MemAvailable');
      if (available === undefined) return unreadable('/proc/meminfo');
      const wanted = wantedMiB[mode] / 2;
      return available < wanted
        ? warning(`${available} MiB of memory are free; ${wanted} are needed for a start`)
        : fine;
    },
  },
  {
    name: 'processors',
    group: 'Memory and processor',
    title: 'a server has two processors',
    why: 'with one, kube-apiserver, the datastore and the pods wait for each other',
    fix: 'give this machine another processor, or be patient',
    look({ root, mode }) {
      const count = [...(root.read('/proc/cpuinfo') ?? '').matchAll(/^processor\s*:/gm)].length;
      if (mode !== 'server') return notLooked('this box is to be an agent, for which one is enough');
      if (count === 0) return unreadable('/proc/cpuinfo');
      return count === 1 ? note('this box has one processor') : fine;
    },
  },
  {
    name: 'swap',
    group: 'Memory and processor',
    title: 'there is no swap',
    why: 'the kubelet runs with it all the same (pods do not use it), but the datastore is slow when its memory is on a disk',
    fix: 'swapoff -a, and take the lines with "swap" out of /etc/fstab',
    forNodes: true,
    look({ root }) {
      const swaps = root.read('/proc/swaps');
      if (swaps === undefined) return unreadable('/proc/swaps');
      const devices = swaps
        .split('\n')
        .slice(1)
        .flatMap((line) => line.split(/\s/)[0] || []);
      return devices.length === 0 ? fine : note(`swap is on: ${devices.join(', ')}`);
    },
  },
];
