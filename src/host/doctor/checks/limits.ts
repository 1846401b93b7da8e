import { readlinkSync } from 'node:fs';
import { dotted, isWrong, nodeSysctls, numberIn } from '../../checks/checks.ts';
import type { HostRoot, Sysctl } from '../../checks/checks.ts';
import { fine, notLooked, unreadable, warning } from '../check.ts';
import type { Check } from '../check.ts';
import type { RepairTools } from '../repair-tools.ts';
import { namesBelow, processIds } from './reading.ts';

const sysctlFile = '/etc/sysctl.d/90-kagent.conf';
const sysctlFolders = ['/usr/lib/sysctl.d', '/lib/sysctl.d', '/run/sysctl.d', '/etc/sysctl.d'];
const wantedOpenFiles = 65_536;
const wantedPids = 32_768;
const mostUsed = 0.8;

export const limitChecks: readonly Check[] = [
  {
    name: 'sysctls',
    group: 'Limits',
    title: 'the kernel settings that kagent makes are kept',
    why: 'something on this box sets them back: pods then lose their network, or the kubelet complains',
    fix: `write them to ${sysctlFile}, which is read at boot as well; and find out what changes them`,
    forNodes: true,
    look(host) {
      // Before the first start they are as the distribution has them, and a start sets them.
      if (!host.isRunning) return notLooked('kagent does not run, and sets them when it starts');
      const wrong = wrongSysctls(host.root);
      return wrong.length === 0
        ? fine
        : warning(
            wrong
              .map(
                ({ name, value }) => `${dotted(name)} is ${host.root.read(`/proc/sys/${name}`)?.trim()}, not ${value}`,
              )
              .join(', '),
          );
    },
    repair: async ({ root }, repairTools) => setSysctls(root, repairTools, wrongSysctls(root)),
  },
  {
    name: 'sysctl-files',
    group: 'Limits',
    title: 'no file in /etc/sysctl.d undoes what kagent sets',
    why: 'these files are read anew by many package updates: at that moment the pods’ network stops, or the kubelet lacks what it needs',
    fix: `overrule it in ${sysctlFile}`,
    forNodes: true,
    look({ root }) {
      return contrary(root).map(({ path, name, said, value }) => ({
        severity: 'warning' as const,
        what: `${path} sets ${dotted(name)} to ${said}, kagent to ${value}`,
        ...(path > sysctlFile && { fix: `change it in ${path}, which is read after ${sysctlFile}` }),
      }));
    },
    async repair({ root }, repairTools) {
      const names = new Set(
        contrary(root)
          .filter(({ path }) => path < sysctlFile)
          .map(({ name }) => name),
      );
      return setSysctls(
        root,
        repairTools,
        nodeSysctls.filter(({ name }) => names.has(name)),
      );
    },
  },
  {
    name: 'inotify',
    group: 'Limits',
    title: 'there are inotify instances left',
    why: 'the kubelet, containerd and many pods watch files: "too many open files" is what they say when none is left',
    fix: 'sysctl -w fs.inotify.max_user_instances=8192',
    forNodes: true,
    look({ root }) {
      const limit = numberIn(root, '/proc/sys/fs/inotify/max_user_instances');
      if (limit === undefined) return unreadable('/proc/sys/fs/inotify/max_user_instances');
      const used = inotifyInstances(root);
      return used > limit * mostUsed ? warning(`${used} of ${limit} inotify instances are in use`) : fine;
    },
    repair: async ({ root }, repairTools) =>
      setSysctls(
        root,
        repairTools,
        nodeSysctls.filter(({ name }) => name === 'fs/inotify/max_user_instances'),
      ),
  },
  {
    name: 'open-files',
    group: 'Limits',
    title: `a process may open ${wantedOpenFiles} files`,
    why: 'each connection and each watch is an open file; pods inherit the limit',
    fix: 'a service that kagent installs has a high limit; elsewhere: ulimit -n 1048576 before the start',
    look({ root }) {
      const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(root.read('/proc/self/limits') ?? '')?.[1];
      if (hard === undefined) return unreadable('/proc/self/limits');
      return hard !== 'unlimited' && Number(hard) < wantedOpenFiles
        ? warning(`a process may open ${hard} files`)
        : fine;
    },
  },
  {
    name: 'file-handles',
    group: 'Limits',
    title: 'the box has file handles left',
    why: 'when none is left every program on the box fails, kagent among them',
    fix: 'sysctl -w fs.file-max=2097152, and look for the program that holds so many: lsof',
    isCheap: true,
    look({ root }) {
      const [used, , most] = (root.read('/proc/sys/fs/file-nr') ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
      if (used === undefined || most === undefined) return unreadable('/proc/sys/fs/file-nr');
      return used > most * mostUsed ? warning(`${used} of the box’s ${most} file handles are in use`) : fine;
    },
    repair: async ({ root }, repairTools) => setSysctls(root, repairTools, [{ name: 'fs/file-max', value: 2_097_152 }]),
  },
  {
    name: 'process-ids',
    group: 'Limits',
    title: `there are ${wantedPids} process ids`,
    why: 'each thread of each pod takes one: a busy node runs out, and nothing can be started',
    fix: 'sysctl -w kernel.pid_max=4194304',
    isCheap: true,
    look({ root }) {
      const most = numberIn(root, '/proc/sys/kernel/pid_max');
      if (most === undefined) return unreadable('/proc/sys/kernel/pid_max');
      return most < wantedPids ? warning(`there are ${most} process ids (kernel.pid_max)`) : fine;
    },
    repair: async ({ root }, repairTools) =>
      setSysctls(root, repairTools, [{ name: 'kernel/pid_max', value: 4_194_304 }]),
  },
];

function wrongSysctls(root: HostRoot): readonly Sysctl[] {
  return nodeSysctls.filter((sysctl) => {
    const now = numberIn(root, `/proc/sys/${sysctl.name}`);
    return now !== undefined && isWrong(sysctl, now);
  });
}

interface Contrary extends Sysctl {
  readonly path: string;
  readonly said: number;
}

/** Lines that a later file, or ours, overrules are no fault. */
function contrary(root: HostRoot): readonly Contrary[] {
  const last = new Map<string, Contrary>();
  for (const path of filesInOrder(root)) {
    for (const [, key = '', text = ''] of (root.read(path) ?? '').matchAll(
      /^[ \t]*-?([\w./-]+)[ \t]*=[ \t]*(\d+)[ \t]*$/gm,
    )) {
      const wanted = nodeSysctls.find(({ name }) => name === key.replaceAll('.', '/'));
      if (wanted !== undefined) last.set(wanted.name, { ...wanted, path, said: Number(text) });
    }
  }
  return [...last.values()].filter((one) => isWrong(one, one.said));
}

/** As sysctl.d(5): by name, whatever the folder; sysctl.conf at the end. */
function filesInOrder(root: HostRoot): readonly string[] {
  const files = sysctlFolders.flatMap((dir) => namesBelow(root, dir).map((name) => ({ name, path: `${dir}/${name}` })));
  const named = files.filter(({ name }) => name.endsWith('.conf')).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [...named.map(({ path }) => path), '/etc/sysctl.conf'];
}

/** Live, and in a file of ours that has what was set by earlier repairs too. */
function setSysctls(root: HostRoot, repairTools: RepairTools, sysctls: readonly Sysctl[]): readonly string[] {
  if (sysctls.length === 0) return [];
  const lines = new Set((root.read(sysctlFile) ?? '').split('\n').filter((line) => line !== ''));
  for (const { name, value } of sysctls) lines.add(`${dotted(name)} = ${value}`);
  repairTools.writeFile(sysctlFile, [...lines].map((line) => `${line}\n`).join(''));
  for (const { name, value } of sysctls) repairTools.setSysctl(name, String(value));
  return sysctls.map(({ name, value }) => `${dotted(name)} is ${value}, now and after a boot (${sysctlFile})`);
}

function inotifyInstances(root: HostRoot): number {
  const links = processIds(root).flatMap((pid) =>
    namesBelow(root, `/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`),
  );
  return links.filter((link) => isInotify(root.path(link))).length;
}

function isInotify(path: string): boolean {
  try {
    return /^anon_inode:\[?inotify\]?$/.test(readlinkSync(path));
  } catch {
    return false; // closed meanwhile
  }
}
