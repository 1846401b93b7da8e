import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExaminedHost, Check, Fault } from '../../../../src/host/doctor/check.ts';
import type { DiskSpace } from '../../../../src/host/doctor/tools.ts';
import { kernelFiles } from '../../../../src/host/checks/checks.ts';
import type { HostNeeds } from '../../../../src/host/checks/checks.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { fakeRoot } from '../checks/fake-root.ts';

/** A box on which everything is as it should be: path → content. */
export const goodBox: Readonly<Record<string, string>> = {
  '/dev/kmsg': '',
  '/etc/hosts': '127.0.0.1 localhost\n',
  '/etc/machine-id': `${'0a'.repeat(16)}\n`,
  '/etc/os-release': 'ID=debian\n',
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/boot/config-6.12.0': [
    'OVERLAY_FS',
    'BRIDGE',
    'BRIDGE_NETFILTER',
    'VETH',
    'NF_CONNTRACK',
    'NF_NAT',
    'VXLAN',
    'NETFILTER_XT_MATCH_COMMENT',
    'NETFILTER_XT_MATCH_CONNTRACK',
    'NETFILTER_XT_MATCH_MULTIPORT',
    'NETFILTER_XT_MATCH_STATISTIC',
    'NF_TABLES',
    'NF_TABLES_IPV4',
    'NFT_CT',
    'NETFILTER_XT_MATCH_ADDRTYPE',
    'NETFILTER_XT_TARGET_MASQUERADE',
    'NETFILTER_XT_MARK',
    'CFS_BANDWIDTH',
    'CGROUP_PIDS',
    'NAMESPACES',
    'USER_NS',
    'SECCOMP_FILTER',
  ]
    .map((option) => `CONFIG_${option}=y\n`)
    .join(''),
  '/proc/101/comm': 'chronyd\n',
  '/proc/cpuinfo': 'processor\t: 0\n\nprocessor\t: 1\n',
  '/proc/filesystems': 'nodev\toverlay\n',
  '/proc/meminfo': 'MemTotal:        8000000 kB\nMemAvailable:    6000000 kB\n',
  '/proc/net/route': [
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    '',
  ].join('\n'),
  '/proc/net/tcp': 'sl local_address\n',
  '/proc/net/udp': 'sl local_address\n   7: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000\n',
  '/proc/self/limits':
    'Limit  Soft  Hard  Units\nMax open files            1024                 1048576              files\n',
  '/proc/self/mountinfo':
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n23 22 0:25 / /sys/fs/cgroup rw shared:2 - cgroup2 cgroup2 rw\n',
  '/proc/self/status': 'CapBnd:\t000001ffffffffff\n',
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n',
  '/proc/sys/fs/file-nr': '2000\t0\t9223372036854775807\n',
  '/proc/sys/fs/file-max': '9223372036854775807\n',
  '/proc/sys/fs/inotify/max_user_instances': '8192\n',
  '/proc/sys/fs/inotify/max_user_watches': '524288\n',
  '/proc/sys/kernel/osrelease': '6.12.0\n',
  '/proc/sys/kernel/pid_max': '4194304\n',
  '/proc/sys/kernel/random/boot_id': 'boot-1\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/proc/sys/user/max_user_namespaces': '15000\n',
  '/sys/class/net/eth0/mtu': '1500\n',
  '/sys/dev/block/8:1/queue/rotational': '0\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/usr/sbin/iptables': '',
  '/usr/sbin/iptables-restore': '',
  '/usr/sbin/iptables-save': '',
  '/usr/sbin/modprobe': '',
};

type Answer = string | number;

export interface Changes {
  /** Added, or instead of what a good box has. */
  readonly files?: Readonly<Record<string, string>>;
  /** Not there. */
  readonly without?: readonly string[];
  /** link → what it leads to */
  readonly links?: Readonly<Record<string, string>>;
  readonly box?: Partial<ExaminedHost>;
  readonly needs?: Partial<HostNeeds>;
  readonly space?: Partial<DiskSpace>;
  readonly fsyncMs?: number;
  /** Name servers that do not look a name up, and with which code. */
  readonly deafServers?: Readonly<Record<string, string>>;
  /** What a command line prints, or its exit code; any other program is not there. */
  readonly programs?: Readonly<Record<string, Answer>>;
}

const iptables: Readonly<Record<string, Answer>> = {
  'iptables --version': 'iptables v1.8.9 (nf_tables)\n',
  'iptables -S INPUT': '-P INPUT ACCEPT\n',
};

export interface Patient extends ExaminedHost {
  /** Command lines that were run. */
  readonly ran: readonly string[];
}

/** A good box, but for `changes`. */
export function patient(changes: Changes = {}): Patient {
  const { files = {}, without = [], links = {} } = changes;
  const root = fakeRoot({ ...goodBox, ...files });
  for (const path of without) rmSync(root.path(path), { recursive: true });
  for (const [link, target] of Object.entries(links)) {
    mkdirSync(dirname(root.path(link)), { recursive: true });
    symlinkSync(target, root.path(link));
  }
  const programs = { ...iptables, ...changes.programs };
  const ran: string[] = [];
  return {
    root,
    mode: 'server',
    needs: {
      dataDir: join(temporaryDir(), 'data'),
      ports: [
        { port: 6443, purpose: 'kube-apiserver' },
        { port: 9345, purpose: 'the supervisor' },
        { port: 10_250, purpose: 'kubelet' },
      ],
      builtAt: '2026-01-02T00:00:00.000Z',
      flannelBackend: 'vxlan',
      root,
      clock: fakeClock(Date.parse('2026-06-01T00:00:00Z')),
      uid: 0,
      minFreeMiB: 1,
      ...changes.needs,
    },
    flannelBackend: 'vxlan',
    kernel: kernelFiles(root),
    clusterCidr: '10.42.0.0/16',
    serviceCidr: '10.43.0.0/16',
    node: {},
    hostname: 'box',
    interfaces: { eth0: [networkInterface('192.168.0.5')] },
    isRunning: false,
    components: [],
    tools: {
      async run(...words) {
        const line = words.join(' ');
        ran.push(line);
        const answer = Object.entries(programs).find(([known]) => line === known)?.[1] ?? 127;
        return typeof answer === 'number' ? { code: answer, stdout: '' } : { code: 0, stdout: answer };
      },
      lookUp: async (server) => changes.deafServers?.[server],
      space: () => ({
        sizeBytes: 100 * 2 ** 30,
        freeBytes: 50 * 2 ** 30,
        inodes: 1000,
        freeInodes: 900,
        ...changes.space,
      }),
      fsyncTimes: () => Array.from({ length: 20 }, () => changes.fsyncMs ?? 1),
    },
    ...changes.box,
    ran,
  };
}

/** On which a kagent runs. */
export const runningBox: Changes = {
  programs: { 'nft -j list ruleset': '{"nftables":[]}' },
  box: {
    isRunning: true,
    components: ['nodes', 'kubelet'].map((name) => ({
      name,
      condition: { status: 'True', reason: 'Ready', message: '', lastTransitionTime: '2026-06-01T00:00:00Z' },
    })),
  },
};

/** Its faults; why it did not look is one as well. */
export async function faultsOf(check: Check | undefined, box: ExaminedHost): Promise<readonly Fault[]> {
  const looked = (await check?.look(box)) ?? [];
  return 'notLooked' in looked ? [{ severity: 'note', what: `not checked: ${looked.notLooked}` }] : looked;
}

function networkInterface(address: string) {
  return {
    address,
    netmask: '255.255.255.0',
    family: 'IPv4',
    mac: '02:00:00:00:00:05',
    internal: false,
    cidr: `${address}/24`,
  } as const;
}
