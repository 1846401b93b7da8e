import { basename, join } from 'node:path';
import { readFileIfExists } from '../../../shared/files/files.ts';
import { hostChecks } from '../../checks/checks.ts';
import type { HostRoot } from '../../checks/checks.ts';
import { fine, notLooked, note, warning } from '../check.ts';
import type { Check } from '../check.ts';
import { faultsOf } from './from-host.ts';
import { mountAt } from './reading.ts';

/** The kubelet sends pods away from 10 % of the disk on, and from 5 % of the inodes. */
const leastFree = 0.1;
const leastFreeInodes = 0.05;
const slowFsyncMs = 25;
const mib = 2 ** 20;

const unfit: readonly { readonly types: RegExp; readonly what: string; readonly fix?: string }[] = [
  {
    types: /^(nfs4?|cifs|smb3|9p|ceph|fuse\..*|fuseblk)$/,
    what: 'is not a disk of this box: the datastore’s locks and fsyncs cannot be relied on',
  },
  { types: /^(vfat|exfat|ntfs3?|msdos)$/, what: 'knows no owners and no links' },
  { types: /^(tmpfs|ramfs)$/, what: 'is memory: the cluster is gone after a reboot' },
  {
    types: /^overlay$/,
    what: 'cannot hold another overlay: containerd’s usual snapshotter does not work on it',
    fix: 'put a volume of ext4 or xfs there, or start with --snapshotter native',
  },
];

export const diskChecks: readonly Check[] = [
  {
    name: 'data-dir',
    group: 'Disk',
    title: 'the data dir can be written, and has room for a start',
    why: 'the cluster’s state is kept there, and the components are unpacked there',
    fix: 'make it writable, make room, or choose another with --data-dir',
    look: ({ needs }) => faultsOf(hostChecks['data-dir'].look(needs)),
  },
  {
    name: 'data-dir-noexec',
    group: 'Disk',
    title: 'programs can be run from the data dir',
    why: 'the components are unpacked there and run there',
    fix: 'mount it without noexec, or choose another with --data-dir',
    look: ({ needs, root }) =>
      mountAt(root, needs.dataDir) === undefined
        ? noMount(needs.dataDir)
        : faultsOf(hostChecks['data-dir-noexec'].look(needs)),
  },
  {
    name: 'disk-room',
    group: 'Disk',
    title: 'a tenth of the disk is free',
    why: 'below that the kubelet evicts pods, and accepts no new ones',
    fix: 'make room, or choose another disk with --data-dir',
    isCheap: true,
    look({ needs, tools }) {
      const { sizeBytes, freeBytes } = tools.space(needs.dataDir);
      return freeBytes < sizeBytes * leastFree
        ? warning(
            `the disk of ${needs.dataDir} has ${Math.floor(freeBytes / mib)} of ${Math.floor(sizeBytes / mib)} MiB free`,
          )
        : fine;
    },
  },
  {
    name: 'inodes',
    group: 'Disk',
    title: 'the disk has inodes left',
    why: 'each file takes one; below a twentieth the kubelet evicts pods although there is space',
    fix: 'delete small files (old images, mail, caches): df -i shows where they are',
    isCheap: true,
    look({ needs, tools }) {
      const { inodes, freeInodes } = tools.space(needs.dataDir);
      if (inodes === 0) return notLooked('this file system has no fixed number of them');
      return freeInodes < inodes * leastFreeInodes
        ? warning(`the disk of ${needs.dataDir} has ${freeInodes} of ${inodes} inodes free`)
        : fine;
    },
  },
  {
    name: 'disk-filesystem',
    group: 'Disk',
    title: 'the data dir is on a file system that is fit for it',
    why: 'a datastore and container images need a real disk under them',
    fix: 'choose a folder on ext4, xfs or btrfs with --data-dir',
    isCheap: true,
    look({ needs, root }) {
      const mount = mountAt(root, needs.dataDir);
      const kind = unfit.find(({ types }) => types.test(mount?.type ?? ''));
      if (mount === undefined) return noMount(needs.dataDir);
      if (kind === undefined) return fine;
      return warning(`${needs.dataDir} is on ${mount.type} (${mount.point}), which ${kind.what}`, kind.fix);
    },
  },
  {
    name: 'disk-kind',
    group: 'Disk',
    title: 'the data dir is on a solid-state disk',
    why: 'each write of the cluster waits for the disk: a spinning one or a card makes it slow, and a card wears out',
    fix: 'put the data dir on an SSD: --data-dir',
    look({ needs, root }) {
      const device = blockDevice(root, mountAt(root, needs.dataDir)?.device ?? '');
      if (device === undefined) return notLooked(`what ${needs.dataDir} is on is no disk of this box’s own`);
      if (device.name.startsWith('mmcblk')) return note(`${needs.dataDir} is on a card (${device.name})`);
      if (/^x?vd/.test(device.name))
        return notLooked(`${device.name} is a virtual disk: what it reports means nothing`);
      if (device.isRotational === undefined) return notLooked(`${device.name} does not say what it is`);
      return device.isRotational ? note(`${needs.dataDir} is on a spinning disk (${device.name})`) : fine;
    },
  },
  {
    name: 'disk-fsync',
    group: 'Disk',
    title: 'a write is on the disk within 25 ms',
    why: 'each change in the cluster waits for one; above that, leases run out and components restart under load',
    fix: 'put the data dir on a faster disk (--data-dir), or find out what else writes so much: iotop',
    look({ needs, tools, mode }) {
      if (mode !== 'server')
        return notLooked('this box is to be an agent, which keeps nothing that waits for the disk');
      const times = tools.fsyncTimes(needs.dataDir).toSorted((a, b) => a - b);
      const slowest = times[Math.floor(times.length * 0.95)] ?? 0;
      const median = times[Math.floor(times.length / 2)] ?? 0;
      const figures = `of ${times.length} writes to ${needs.dataDir}, half took over ${median.toFixed(1)} ms and one in twenty over ${slowest.toFixed(1)} ms until on disk`;
      return slowest > slowFsyncMs ? warning(figures) : fine;
    },
  },
];

function noMount(dataDir: string) {
  return notLooked(`/proc/self/mountinfo does not say what ${dataDir} is on`);
}

/** @param device `8:1`; a partition's queue is its disk's */
function blockDevice(
  root: HostRoot,
  device: string,
): { readonly name: string; readonly isRotational: boolean | undefined } | undefined {
  const folder = device === '' ? undefined : root.realPath(`/sys/dev/block/${device}`);
  if (folder === undefined) return undefined;
  const rotational = [folder, join(folder, '..')].map((dir) => readFileIfExists(join(dir, 'queue/rotational')));
  const said = rotational.find((text) => text !== undefined)?.trim();
  return { name: basename(folder), isRotational: said === undefined ? undefined : said === '1' };
}
