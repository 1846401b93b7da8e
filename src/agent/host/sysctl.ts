import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import { hostRoot, type HostRoot } from './root.ts';

/** A kernel setting, by its path below /proc/sys. */
export interface Sysctl {
  readonly name: string;
  readonly value: number;
  /** More is fine as it is. */
  readonly atLeast?: boolean;
}

/** What a node needs. The kubelet and kube-proxy would set some of them on their own, but not remember the old value. */
export const nodeSysctls: readonly Sysctl[] = [
  { name: 'net/ipv4/ip_forward', value: 1 },
  { name: 'net/bridge/bridge-nf-call-iptables', value: 1 },
  { name: 'net/bridge/bridge-nf-call-ip6tables', value: 1 },
  { name: 'net/ipv4/conf/all/route_localnet', value: 1 }, // NodePorts on 127.0.0.1
  { name: 'fs/inotify/max_user_instances', value: 8192, atLeast: true },
  { name: 'fs/inotify/max_user_watches', value: 524_288, atLeast: true },
  { name: 'vm/overcommit_memory', value: 1 },
  { name: 'vm/panic_on_oom', value: 0 },
  { name: 'kernel/panic', value: 10 },
  { name: 'kernel/panic_on_oops', value: 1 },
  { name: 'kernel/keys/root_maxkeys', value: 1_000_000, atLeast: true },
  { name: 'kernel/keys/root_maxbytes', value: 25_000_000, atLeast: true },
];

/** kube-proxy sets these itself where it may: their old values are worth keeping too. */
const remembered = [
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_tcp_timeout_established',
  'net/netfilter/nf_conntrack_tcp_timeout_close_wait',
];

/** Values from before kagent came, by name. The first one remembered in a boot stays. */
interface Journal {
  readonly bootId: string;
  readonly before: Readonly<Record<string, string>>;
}

export function journalPath(paths: Paths): string {
  return join(paths.agent.dir, 'host-journal.json');
}

/** Sets what is not set, after writing down what was. A setting that cannot be made is a warning: it may not be needed. */
export function applySysctls(options: {
  readonly sysctls: readonly Sysctl[];
  readonly paths: Paths;
  readonly log: Log;
  readonly root: HostRoot;
}): void {
  const { sysctls, paths, log, root } = options;
  const bootId = currentBoot(root);
  const known = readJournal(paths);
  const before: Record<string, string> = known?.bootId === bootId ? { ...known.before } : {};
  const changes = sysctls.filter((sysctl) => needsChange(sysctl, root));
  for (const name of [...changes.map((change) => change.name), ...remembered]) {
    const value = root.read(sysctlPath(name))?.trim();
    if (value !== undefined) before[name] ??= value;
  }
  writeFileAtomicSync(journalPath(paths), JSON.stringify({ bootId, before } satisfies Journal, null, 2), 0o600);
  for (const { name, value } of changes) {
    try {
      writeFileSync(root.path(sysctlPath(name)), String(value));
      log.info('kernel setting changed', { sysctl: name.replaceAll('/', '.'), from: before[name], to: value });
    } catch (error) {
      log.warn('kernel setting not changed', { sysctl: name.replaceAll('/', '.'), wanted: value, error });
    }
  }
}

function needsChange({ name, value, atLeast = false }: Sysctl, root: HostRoot): boolean {
  const text = root.read(sysctlPath(name));
  if (text === undefined) return false; // the kernel does not have it, or this container may not see it
  const now = Number(text);
  return atLeast ? now < value : now !== value;
}

/** Puts back what was there before kagent. @returns what could not be put back, and why */
export function restoreHost(paths: Paths, root: HostRoot = hostRoot()): readonly string[] {
  const journal = readJournal(paths);
  if (journal === undefined || journal.bootId !== currentBoot(root)) return []; // a reboot has done it
  return Object.entries(journal.before).flatMap(([name, value]) => {
    if (root.read(sysctlPath(name))?.trim() === value) return [];
    try {
      writeFileSync(root.path(sysctlPath(name)), value);
      return [];
    } catch (error) {
      return [`${name.replaceAll('/', '.')} stays as it is: ${messageOf(error)}`];
    }
  });
}

function readJournal(paths: Paths): Journal | undefined {
  try {
    const text = readFileIfExists(journalPath(paths));
    return text === undefined ? undefined : (JSON.parse(text) as Journal);
  } catch {
    return undefined;
  }
}

function currentBoot(root: HostRoot): string {
  return root.read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function sysctlPath(name: string): string {
  return `/proc/sys/${name}`;
}
