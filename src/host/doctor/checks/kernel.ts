import { featuresFor, featureState, hostChecks, numberIn } from '../../checks/checks.ts';
import type { HostRoot } from '../../checks/checks.ts';
import { installCommand } from '../../packages/packages.ts';
import { fine, notLooked, note, unreadable, warning } from '../check.ts';
import type { ExaminedHost, Check, NotLooked } from '../check.ts';
import { faultsOf } from './from-host.ts';
import { isOlder, majorMinor, namesBelow } from './reading.ts';

const modulesFile = '/etc/modules-load.d/kagent.conf';

/** What kube-proxy's rules are made of; without one of them Services do not work. */
const netfilterOptions = [
  'CONFIG_NETFILTER_XT_MATCH_COMMENT',
  'CONFIG_NETFILTER_XT_MATCH_CONNTRACK',
  'CONFIG_NETFILTER_XT_MATCH_MULTIPORT',
  'CONFIG_NETFILTER_XT_MATCH_STATISTIC',
  'CONFIG_NETFILTER_XT_MATCH_ADDRTYPE',
  'CONFIG_NETFILTER_XT_TARGET_MASQUERADE',
  'CONFIG_NETFILTER_XT_MARK',
] as const;

/** What the rules of network policies are made of. */
const nftablesOptions = ['CONFIG_NF_TABLES', 'CONFIG_NF_TABLES_IPV4', 'CONFIG_NFT_CT'] as const;

const limitOptions = {
  CONFIG_CFS_BANDWIDTH: 'CPU limits',
  CONFIG_CGROUP_PIDS: 'limits on the number of processes',
  CONFIG_NAMESPACES: 'namespaces',
  CONFIG_SECCOMP_FILTER: 'seccomp profiles',
} as const;

/** tmpfs can be mounted with other user ids. */
const idmappedTmpfsFrom = [6, 3] as const;

export const kernelChecks: readonly Check[] = [
  {
    name: 'kernel-features',
    group: 'Kernel',
    title: 'the kernel has what pods and their network need',
    why: 'containers are made of these features; without one of them no pod starts, or none is reached',
    fix: 'load the module, install the modules of this kernel, or boot another one',
    forNodes: true,
    async look(host) {
      const faults = faultsOf(await hostChecks['kernel-features'].look(host.needs));
      return faults.length === 0 ? (unsaid(host) ?? fine) : faults;
    },
  },
  {
    name: 'kernel-modules',
    group: 'Kernel',
    title: 'modules that are not loaded yet can be loaded',
    why: 'kagent loads the modules it needs when it starts, and cannot on this box',
    fix: `name the modules in ${modulesFile} and reboot`,
    forNodes: true,
    look(host) {
      const modules = unloaded(host);
      if (modules.length === 0) return unsaid(host) ?? fine;
      if (numberIn(host.root, '/proc/sys/kernel/modules_disabled') === 1) {
        return warning(`${modules.join(', ')} are not loaded, and kernel.modules_disabled is 1`);
      }
      const hasModprobe = ['/sbin', '/usr/sbin', '/bin', '/usr/bin'].some(
        (folder) => host.root.realPath(`${folder}/modprobe`) !== undefined,
      );
      if (hasModprobe) return fine;
      const install = installCommand(['kmod'], host.root.read('/etc/os-release') ?? '');
      return warning(`${modules.join(', ')} are not loaded, and there is no modprobe`, install);
    },
    async repair(host, repairTools) {
      const modules = unloaded(host);
      repairTools.writeFile(modulesFile, modules.map((module) => `${module}\n`).join(''));
      const loaded = await Promise.all(
        modules.map((module) =>
          repairTools.loadModule(module).then(
            () => true,
            () => false,
          ),
        ),
      );
      return [
        `${modulesFile} names ${modules.join(', ')}`,
        ...(loaded.every(Boolean) ? [] : ['they are loaded at the next boot']),
      ];
    },
  },
  {
    name: 'kernel-version',
    group: 'Kernel',
    title: 'the kernel is not older than 5.4',
    why: 'Kubernetes is not tried with older ones: memory accounting and conntrack have faults that were repaired later',
    fix: 'boot a newer kernel',
    look({ kernel }) {
      const version = majorMinor(kernel.release);
      if (version === undefined) return unreadable('/proc/sys/kernel/osrelease');
      return isOlder(version, [5, 4]) ? warning(`the kernel is ${kernel.release}`) : fine;
    },
  },
  {
    name: 'kernel-netfilter',
    group: 'Kernel',
    title: 'the kernel has what kube-proxy’s rules are made of',
    why: 'without one of them no rule for Services is accepted',
    fix: 'boot a kernel that is built with them, or install its modules',
    forNodes: true,
    look: ({ kernel }) => options(kernel, netfilterOptions),
  },
  {
    name: 'kernel-nftables',
    group: 'Kernel',
    title: 'the kernel has what the rules of network policies are made of',
    why: 'NetworkPolicies are not enforced on this box: kagent status and an event at each policy say so, and pods reach what a policy forbids',
    fix: 'boot a kernel that is built with them, or install its modules; a cluster without policies needs nothing',
    forNodes: true,
    look: ({ kernel }) => options(kernel, nftablesOptions),
  },
  {
    name: 'kernel-limits',
    group: 'Kernel',
    title: 'the kernel can hold pods to their limits',
    why: 'pods that ask for it do not start, or are not limited',
    fix: 'boot a kernel that is built with these options',
    forNodes: true,
    look({ kernel }) {
      const config = kernel.config();
      if (config === undefined) return noConfig;
      const missing = Object.entries(limitOptions).filter(([option]) => !config.has(option));
      return missing.flatMap(([option, what]) => warning(`the kernel ${kernel.release} has no ${what} (${option})`));
    },
  },
  {
    name: 'apparmor',
    group: 'Kernel',
    title: 'AppArmor, if it is on, has its parser',
    why: 'without it containerd runs containers unconfined: what its profile denies (writing below /proc and /sys, mounting) is left to the other limits; a Pod that asks for a profile does not start ("apparmor is not supported")',
    fix: 'install the package apparmor, then restart kagent; or boot with apparmor=0',
    isCheap: true,
    forNodes: true,
    look({ root }) {
      if (root.read('/sys/module/apparmor/parameters/enabled')?.trim() !== 'Y') return fine;
      if (root.realPath('/sbin/apparmor_parser') !== undefined) return fine; // where containerd looks
      const install = installCommand(['apparmor'], root.read('/etc/os-release') ?? '');
      return warning(
        'AppArmor is on, and there is no /sbin/apparmor_parser: containers run unconfined',
        `${install}, then restart kagent`,
      );
    },
  },
  {
    name: 'user-namespaces',
    group: 'Kernel',
    title: 'Pods can have user namespaces of their own',
    why: 'for Pods with "hostUsers: false" alone: their tokens, Secrets and ConfigMaps are on tmpfs, mounted with other user ids; where the kernel cannot do that, they do not start ("failed to set MOUNT_ATTR_IDMAP")',
    fix: 'boot a kernel from 6.3 on if there are to be such Pods; others need nothing',
    forNodes: true,
    look({ root, kernel }) {
      if (kernel.config()?.has('CONFIG_USER_NS') === false)
        return note(`the kernel ${kernel.release} has no CONFIG_USER_NS`);
      const most = numberIn(root, '/proc/sys/user/max_user_namespaces');
      if (most === undefined) return unreadable('/proc/sys/user/max_user_namespaces');
      if (most === 0)
        return note(
          'user.max_user_namespaces is 0',
          'sysctl -w user.max_user_namespaces=15000, if there are to be such Pods',
        );
      const version = majorMinor(kernel.release);
      if (version === undefined) return unreadable('/proc/sys/kernel/osrelease');
      return isOlder(version, idmappedTmpfsFrom)
        ? note(`the kernel ${kernel.release} does not map user ids on tmpfs`)
        : fine;
    },
  },
  {
    name: 'selinux',
    group: 'Kernel',
    title: 'SELinux does not forbid what kagent does',
    why: 'kagent brings no policy of its own: what containers may not do then looks like faults of theirs',
    fix: 'setenforce 0, and SELINUX=permissive in /etc/selinux/config',
    look: ({ root }) => (numberIn(root, '/sys/fs/selinux/enforce') === 1 ? warning('SELinux is enforcing') : fine),
  },
  {
    name: 'machine-id',
    group: 'Kernel',
    title: 'the box has a machine-id',
    why: 'the kubelet reports it, and boxes without one cannot be told apart',
    fix: 'systemd-machine-id-setup, or dbus-uuidgen --ensure=/etc/machine-id',
    forNodes: true,
    look({ root }) {
      const id = root.read('/etc/machine-id')?.trim() ?? '';
      return /^[0-9a-f]{32}$/.test(id)
        ? fine
        : warning(id === '' ? '/etc/machine-id is empty or missing' : `/etc/machine-id holds "${id}"`);
    },
  },
];

function options(kernel: ExaminedHost['kernel'], wanted: readonly string[]): ReturnType<Check['look']> {
  const config = kernel.config();
  if (config === undefined) return noConfig;
  const missing = wanted.filter((option) => !config.has(option));
  return missing.length === 0 ? fine : warning(`the kernel ${kernel.release} has no ${missing.join(', ')}`);
}

const noConfig = notLooked('this kernel’s configuration is neither in /proc/config.gz nor in /boot');

/** Features of which nothing on this box says whether the kernel has them: a start tries them. */
function unsaid({ flannelBackend, root, kernel }: ExaminedHost): NotLooked | undefined {
  const features = featuresFor(flannelBackend).filter((one) => featureState(one, root, kernel) === 'unknown');
  if (features.length === 0) return undefined;
  return notLooked(`nothing on this box says whether the kernel has ${features.map(({ name }) => name).join(', ')}`);
}

function unloaded({ flannelBackend, root, kernel }: ExaminedHost): readonly string[] {
  return featuresFor(flannelBackend)
    .filter((feature) => featureState(feature, root, kernel) === 'loadable')
    .map(({ module }) => module)
    .filter((module) => !isLoaded(root, module));
}

function isLoaded(root: HostRoot, module: string): boolean {
  return namesBelow(root, '/sys/module').includes(module);
}
