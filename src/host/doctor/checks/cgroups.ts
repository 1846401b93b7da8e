import { cgroupVersion, hostChecks } from '../../checks/checks.ts';
import type { HostRoot } from '../../checks/checks.ts';
import { parseMounts } from '../../mounts/mounts.ts';
import { fine, notLooked, note, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { faultsOf } from './from-host.ts';
import { namesBelow } from './reading.ts';

const folder = '/sys/fs/cgroup';
/** Of a Raspberry Pi, the newer place first. */
const bootFiles = ['/boot/firmware/cmdline.txt', '/boot/cmdline.txt'];
const memoryWords = ['cgroup_enable=memory', 'cgroup_memory=1'];

export const cgroupChecks: readonly Check[] = [
  {
    name: 'cgroup-memory',
    group: 'Cgroups',
    title: 'the memory cgroup is on',
    why: 'without it no pod is held to its memory limit, and the kubelet does not start; a Raspberry Pi boots with it off',
    fix: `add "${memoryWords.join(' ')}" to the kernel command line and reboot`,
    forNodes: true,
    look({ needs, root }) {
      const boot = bootFile(root);
      return faultsOf(hostChecks['cgroup-memory'].look(needs)).map((fault) =>
        boot === undefined
          ? fault
          : { ...fault, fix: `add "${memoryWords.join(' ')}" to the line in ${boot} and reboot` },
      );
    },
    async repair({ root }, repairTools) {
      const path = bootFile(root);
      if (path === undefined) return ['nothing: this box’s boot file is not known; add the words by hand'];
      const [line = '', ...rest] = (root.read(path) ?? '').split('\n'); // one line, which must stay one
      const words = line.trim().split(/\s+/);
      const missing = memoryWords.filter((word) => !words.includes(word));
      if (missing.length === 0) return [`nothing: ${path} has the words already; reboot`];
      repairTools.writeFile(path, [[...words, ...missing].join(' '), ...rest].join('\n'));
      return [`${path} says ${missing.join(' ')}: reboot`];
    },
  },
  {
    name: 'cgroup-version',
    group: 'Cgroups',
    title: 'cgroups are version 2',
    why: 'Kubernetes no longer develops version 1: kagent tells the kubelet to accept it, but newer features (memory QoS, pressure) are missing',
    fix: 'boot with systemd.unified_cgroup_hierarchy=1, or a newer distribution',
    forNodes: true,
    look({ root }) {
      const version = cgroupVersion(root);
      if (version === 'v2') return fine;
      return note(`cgroups are ${version === 'v1' ? 'version 1' : 'version 1 with an empty version 2 beside it'}`);
    },
  },
  {
    name: 'cgroup-controllers',
    group: 'Cgroups',
    title: 'the cgroup controllers cpu, cpuset and pids are there',
    why: 'the kubelet does not start without cpu, where cgroups are version 1 not without cpuset either; without pids no Pod is held to a number of processes',
    fix: 'look for cgroup_disable= on the kernel command line (/proc/cmdline), or boot another kernel',
    isCheap: true,
    forNodes: true,
    look({ root }) {
      const there = root.read(`${folder}/cgroup.controllers`)?.trim().split(/\s+/) ?? namesBelow(root, folder);
      if (there.length === 0)
        return warning(
          `no cgroups are mounted at ${folder}`,
          'install and start cgroupfs-mount, or add it to /etc/fstab',
        );
      const known = new Set(there.flatMap((name) => name.split(',')));
      const missing = ['cpu', 'cpuset', 'pids'].filter((name) => !known.has(name));
      return missing.length === 0 ? fine : warning(`the cgroup controllers ${missing.join(', ')} are missing`);
    },
  },
  {
    name: 'cgroup-writable',
    group: 'Cgroups',
    title: 'cgroups can be made',
    why: 'each pod is a cgroup, and the kubelet does not start where it cannot make them; in a container that is not privileged they can only be read',
    fix: 'run kagent on the host itself, or in a container that is privileged and has its own cgroup namespace',
    isCheap: true,
    forNodes: true,
    look({ root }) {
      const mounts = parseMounts(root.read('/proc/self/mountinfo') ?? '');
      const trees = mounts.filter(({ type, point }) => /^cgroup2?$/.test(type) && point.startsWith(folder));
      if (trees.length === 0) return notLooked(`no cgroups are mounted at ${folder}`);
      const locked = trees.find(({ options }) => options.includes('ro'));
      return locked === undefined ? fine : warning(`${locked.point} is mounted read-only`);
    },
  },
];

function bootFile(root: HostRoot): string | undefined {
  return bootFiles.find((path) => root.read(path) !== undefined);
}
