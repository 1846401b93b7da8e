import { writeFileSync } from 'node:fs';
import { messageOf } from '../../shared/errors.ts';
import type { UndoLog, Made, MadeOf, Undone } from '../undo-log/undo-log.ts';
import type { Log } from '../../shared/log/log.ts';
import { hostRoot } from './root.ts';
import type { HostRoot } from './root.ts';

/** A kernel setting, by its path below /proc/sys. */
export interface Sysctl {
  readonly name: string;
  readonly value: number;
  /** More is fine as it is. */
  readonly atLeast?: boolean;
}

/** Opens 127.0.0.1 to the neighbours of this box; what closes it again is a rule of kube-proxy's and the kubelet's. */
export const routeLocalnet = 'net/ipv4/conf/all/route_localnet';

/** What a node needs. The kubelet and kube-proxy would set some of them on their own, but not remember the old value. */
export const nodeSysctls: readonly Sysctl[] = [
  { name: 'net/ipv4/ip_forward', value: 1 },
  { name: 'net/bridge/bridge-nf-call-iptables', value: 1 },
  { name: 'net/bridge/bridge-nf-call-ip6tables', value: 1 },
  { name: 'fs/inotify/max_user_instances', value: 8192, atLeast: true },
  { name: 'fs/inotify/max_user_watches', value: 524_288, atLeast: true },
  { name: 'vm/overcommit_memory', value: 1 },
  { name: 'vm/panic_on_oom', value: 0 },
  { name: 'kernel/panic', value: 10 },
  { name: 'kernel/panic_on_oops', value: 1 },
  { name: 'kernel/keys/root_maxkeys', value: 1_000_000, atLeast: true },
  { name: 'kernel/keys/root_maxbytes', value: 25_000_000, atLeast: true },
];

/** The kubelet sets these, too, and to exactly this: their old values are worth keeping though they may suit us. */
const isKubelets = ({ name }: Sysctl): boolean => /^(vm|kernel)\//.test(name);

/** kube-proxy sets these where it may, most to values that it works out. */
const kubeProxys: readonly { readonly name: string; readonly after?: string }[] = [
  { name: routeLocalnet, after: '1' }, // NodePorts on 127.0.0.1
  { name: 'net/netfilter/nf_conntrack_max' },
  { name: 'net/netfilter/nf_conntrack_tcp_timeout_established' },
  { name: 'net/netfilter/nf_conntrack_tcp_timeout_close_wait' },
  { name: 'net/netfilter/nf_conntrack_tcp_be_liberal' },
];

/**
 * The kernel changes it with `ip_forward`, both ways: a host that forwards takes no redirects, one that does not takes them,
 * whatever it was before.
 */
const acceptRedirects = 'net/ipv4/conf/all/accept_redirects';

/** Sets what is not set, after writing down what was. A setting that cannot be made is a warning: it may not be needed. */
export function applySysctls(options: {
  readonly sysctls: readonly Sysctl[];
  readonly undoLog: UndoLog;
  readonly log: Log;
  readonly root: HostRoot;
}): void {
  const { sysctls, undoLog, log, root } = options;
  const bootId = currentBoot(root);
  forgetOtherBoots(undoLog, bootId);
  const changes = sysctls.filter((sysctl) => needsChange(sysctl, root));
  const entryOf = (name: string, after?: string): readonly Made[] => {
    const before = root.read(sysctlPath(name))?.trim();
    return before === undefined
      ? []
      : [{ kind: 'sysctl', name, before, ...(after !== undefined && { after }), bootId }];
  };
  const forwards = changes.some(({ name }) => name === 'net/ipv4/ip_forward');
  undoLog.record(
    ...(forwards ? entryOf(acceptRedirects) : []), // before the other: what is written down last is put back first
    ...sysctls
      .filter((sysctl) => changes.includes(sysctl) || isKubelets(sysctl))
      .flatMap(({ name, value }) => entryOf(name, String(value))),
    ...kubeProxys.flatMap(({ name, after }) => entryOf(name, after)),
  );
  for (const { name, value } of changes) {
    const from = root.read(sysctlPath(name))?.trim();
    try {
      writeFileSync(root.path(sysctlPath(name)), String(value));
      log.info('kernel setting changed', { sysctl: dotted(name), from, to: value });
    } catch (error) {
      log.warn('kernel setting not changed', { sysctl: dotted(name), wanted: value, error });
    }
  }
}

/** A reboot has undone them. */
function forgetOtherBoots(undoLog: UndoLog, bootId: string): void {
  const entries = undoLog.entries();
  const kept = entries.filter((made) => made.kind !== 'sysctl' || made.bootId === bootId);
  if (kept.length < entries.length) undoLog.keepOnly(kept);
}

function needsChange(sysctl: Sysctl, root: HostRoot): boolean {
  const text = root.read(sysctlPath(sysctl.name));
  if (text === undefined) return false; // the kernel does not have it, or this container may not see it
  return isWrong(sysctl, Number(text));
}

/** Of a value that the kernel has, or a file says. */
export function isWrong({ value, atLeast = false }: Sysctl, now: number): boolean {
  return atLeast ? now < value : now !== value;
}

/** Puts back what was there before kagent, unless somebody has changed it since. */
export function restoreSysctl(made: MadeOf<'sysctl'>, root: HostRoot = hostRoot()): Undone {
  const { name, before, after } = made;
  const now = root.read(sysctlPath(name))?.trim();
  if (made.bootId !== currentBoot(root) || now === undefined || now === before) return {};
  if (after !== undefined && now !== after) {
    return {
      stayed: [`${dotted(name)} is ${now}: kagent had set ${after} (${before} before), and somebody changed it since`],
    };
  }
  try {
    writeFileSync(root.path(sysctlPath(name)), before);
    return {};
  } catch (error) {
    return { failed: [`${dotted(name)} stays ${now} (${before} before): ${messageOf(error)}`] };
  }
}

export function currentBoot(root: HostRoot): string {
  return root.read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function sysctlPath(name: string): string {
  return `/proc/sys/${name}`;
}

/** `net.ipv4.ip_forward`, as people write it. */
export function dotted(name: string): string {
  return name.replaceAll('/', '.');
}
