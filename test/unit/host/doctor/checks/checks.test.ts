/** Each check on a box that has the fault, and on one that has not. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { fakeClock } from '../../../../helpers/clock.ts';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { examine } from '../../../../../src/host/doctor/doctor.ts';
import { hostDoctorChecks } from '../../../../../src/host/doctor/checks/checks.ts';
import { faultsOf, goodBox, patient, runningBox } from '../patient.ts';
import type { Changes } from '../patient.ts';
import { temporaryDir } from '../../../../helpers/temporary.ts';
import { rulesetOf } from './nftables.ts';

interface Case extends Changes {
  readonly sees: string | RegExp;
  readonly as?: 'fatal' | 'note';
  /** Where the fault has better advice than its check. */
  readonly fix?: string;
}

const listening = (port: number) =>
  `header\n   0: 00000000:${port.toString(16).toUpperCase()} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 41234 1\n`;
const mounted = (type: string, options = 'rw', point = '/', device = '8:1') =>
  `${goodBox['/proc/self/mountinfo']}30 22 ${device} / ${point} ${options} shared:2 - ${type} none rw\n`;
const config = (name: string) => ({
  '/boot/config-6.12.0': (goodBox['/boot/config-6.12.0'] ?? '').replace(`CONFIG_${name}=y\n`, ''),
});

const component = (name: string, status: 'False' | 'Unknown', message: string, remedy?: string) => ({
  name,
  condition: { status, reason: 'Ended', message, lastTransitionTime: '2026-06-01T00:00:00Z', remedy },
});

const failed = (reason: string, message: string) =>
  ({ status: 'False', reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' }) as const;

/** The root on an overlay, and one more mount. */
const mountedAt = (type: string, options: string, point: string, rootType = 'overlay') =>
  `22 1 0:9 / / rw,relatime shared:1 - ${rootType} none rw\n30 22 8:1 / ${point} ${options} shared:2 - ${type} none rw\n`;
const nothing = { 'iptables --version': 127, 'iptables -S INPUT': 127 };

const faults: Readonly<Record<string, Case | readonly Case[]>> = {
  root: { needs: { uid: 1000 }, sees: /^kagent runs as user 1000/, as: 'fatal' },
  capabilities: {
    files: { '/proc/self/status': 'CapBnd:\t00000000a80425fb\n' },
    sees: 'this box gives root no CAP_NET_ADMIN, CAP_SYS_ADMIN, without which no container can be made',
    as: 'fatal',
  },
  'oom-score': {
    files: { '/proc/self/status': 'CapBnd:\t000001fffeffffff\n' },
    sees: /no CAP_SYS_RESOURCE/,
    as: 'note',
  },
  'kernel-log': { without: ['/dev/kmsg'], sees: 'there is no /dev/kmsg' },
  'kernel-features': { files: config('VETH'), sees: 'the kernel 6.12.0 has no veth network pairs', as: 'fatal' },
  'kernel-modules': [
    {
      files: { '/lib/modules/6.12.0/modules.dep': 'kernel/net/br_netfilter.ko:\n' },
      without: ['/usr/sbin/modprobe'],
      sees: 'br_netfilter are not loaded, and there is no modprobe',
    },
    {
      files: {
        '/lib/modules/6.12.0/modules.dep': 'kernel/drivers/net/vxlan/vxlan.ko.xz:\n',
        '/proc/sys/kernel/modules_disabled': '1\n',
      },
      sees: 'vxlan are not loaded, and kernel.modules_disabled is 1',
    },
  ],
  'kernel-version': { files: { '/proc/sys/kernel/osrelease': '4.19.0-27\n' }, sees: 'the kernel is 4.19.0-27' },
  'kernel-netfilter': {
    files: config('NETFILTER_XT_MATCH_STATISTIC'),
    sees: 'the kernel 6.12.0 has no CONFIG_NETFILTER_XT_MATCH_STATISTIC',
  },
  'kernel-nftables': {
    files: config('NFT_CT'),
    sees: 'the kernel 6.12.0 has no CONFIG_NFT_CT',
  },
  'kernel-limits': {
    files: config('CFS_BANDWIDTH'),
    sees: 'the kernel 6.12.0 has no CPU limits (CONFIG_CFS_BANDWIDTH)',
  },
  apparmor: {
    files: { '/sys/module/apparmor/parameters/enabled': 'Y\n' },
    sees: /no \/sbin\/apparmor_parser: containers run unconfined$/,
  },
  'user-namespaces': [
    { files: config('USER_NS'), sees: 'the kernel 6.12.0 has no CONFIG_USER_NS', as: 'note' },
    { files: { '/proc/sys/user/max_user_namespaces': '0\n' }, sees: 'user.max_user_namespaces is 0', as: 'note' },
    {
      files: { '/proc/sys/kernel/osrelease': '6.1.0-44-amd64\n' },
      sees: 'the kernel 6.1.0-44-amd64 does not map user ids on tmpfs',
      as: 'note',
    },
  ],
  selinux: { files: { '/sys/fs/selinux/enforce': '1' }, sees: 'SELinux is enforcing' },
  'machine-id': [
    { files: { '/etc/machine-id': '' }, sees: '/etc/machine-id is empty or missing' },
    { files: { '/etc/machine-id': 'uninitialized\n' }, sees: '/etc/machine-id holds "uninitialized"' },
  ],
  'cgroup-memory': {
    files: { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu pids\n' },
    sees: 'the memory cgroup is not enabled',
    as: 'fatal',
  },
  'cgroup-version': [
    {
      without: ['/sys/fs/cgroup/cgroup.controllers'],
      files: { '/sys/fs/cgroup/unified/': '', '/sys/fs/cgroup/memory/': '' },
      sees: 'cgroups are version 1 with an empty version 2 beside it',
      as: 'note',
    },
    { without: ['/sys/fs/cgroup/cgroup.controllers'], sees: 'cgroups are version 1', as: 'note' },
  ],
  'cgroup-controllers': [
    { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n' }, sees: /controllers cpuset, pids are missing/ },
    {
      without: ['/sys/fs/cgroup/cgroup.controllers'],
      files: { '/sys/fs/cgroup/cpu,cpuacct/': '', '/sys/fs/cgroup/cpuset/': '' },
      sees: /controllers pids are missing/,
    },
    { without: ['/sys/fs/cgroup'], sees: 'no cgroups are mounted at /sys/fs/cgroup' },
  ],
  'cgroup-writable': {
    files: { '/proc/self/mountinfo': mounted('cgroup2', 'ro,nosuid', '/sys/fs/cgroup', '0:26') },
    sees: '/sys/fs/cgroup is mounted read-only',
  },
  sysctls: {
    files: { '/proc/sys/net/ipv4/ip_forward': '0\n' },
    box: { isRunning: true },
    sees: 'net.ipv4.ip_forward is 0, not 1',
  },
  'sysctl-files': [
    {
      files: { '/etc/sysctl.d/10-lan.conf': '# ours\nnet.ipv4.ip_forward = 0\n' },
      sees: '/etc/sysctl.d/10-lan.conf sets net.ipv4.ip_forward to 0, kagent to 1',
    },
    {
      files: { '/etc/sysctl.conf': 'net/ipv4/ip_forward=0\n', '/etc/sysctl.d/10-lan.conf': 'net.ipv4.ip_forward=1\n' },
      sees: '/etc/sysctl.conf sets net.ipv4.ip_forward to 0, kagent to 1',
    },
  ],
  inotify: {
    files: { '/proc/sys/fs/inotify/max_user_instances': '2\n' },
    links: { '/proc/102/fd/4': 'anon_inode:inotify', '/proc/102/fd/5': 'anon_inode:inotify' },
    sees: '2 of 2 inotify instances are in use',
  },
  'open-files': {
    files: { '/proc/self/limits': 'Max open files            1024                 4096                 files\n' },
    sees: 'a process may open 4096 files',
  },
  'file-handles': {
    files: { '/proc/sys/fs/file-nr': '9500\t0\t10000\n' },
    sees: '9500 of the box’s 10000 file handles are in use',
  },
  'process-ids': {
    files: { '/proc/sys/kernel/pid_max': '4096\n' },
    sees: 'there are 4096 process ids (kernel.pid_max)',
  },
  components: [
    {
      box: {
        components: [
          component('cluster-dns', 'False', 'no Pod is Ready; none has started; see its log', 'see its log'),
        ],
      },
      sees: 'cluster-dns: no Pod is Ready; none has started',
      fix: 'see its log',
    },
    {
      box: { components: [component('kube-proxy', 'False', 'not ready within 60 s; its last lines: …')] },
      sees: 'kube-proxy: not ready within 60 s; its last lines: …',
    },
    {
      box: { components: [component('kubelet', 'False', ''), component('channel', 'Unknown', 'connecting')] },
      sees: 'kubelet: Ended',
    },
  ],
  memory: [
    {
      files: { '/proc/meminfo': 'MemTotal: 900000 kB\n' },
      sees: /^this box has 878 MiB of memory; a server needs 1024 MiB/,
    },
    {
      files: { '/proc/meminfo': 'MemTotal: 400000 kB\n' },
      box: { mode: 'agent' },
      sees: /^this box has 390 MiB of memory; an agent needs 512 MiB/,
    },
  ],
  'memory-free': {
    files: { '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable: 204800 kB\n' },
    sees: '200 MiB of memory are free; 512 are needed for a start',
  },
  processors: { files: { '/proc/cpuinfo': 'processor\t: 0\n' }, sees: 'this box has one processor', as: 'note' },
  swap: {
    files: { '/proc/swaps': 'Filename\tType\n/swapfile   file 1 0 -2\n' },
    sees: 'swap is on: /swapfile',
    as: 'note',
  },
  'data-dir': {
    needs: { dataDir: '/dev/null/data' },
    sees: /cannot be written: a part of the path is not a folder/,
    as: 'fatal',
  },
  'data-dir-noexec': {
    needs: { dataDir: '/srv/kagent' },
    files: { '/proc/self/mountinfo': mounted('ext4', 'rw,noexec', '/srv') },
    sees: /^nothing can be run from the data dir \/srv\/kagent: \/srv is mounted noexec/,
    as: 'fatal',
  },
  'disk-room': { space: { freeBytes: 2 ** 30 }, sees: /has 1024 of 102400 MiB free$/ },
  inodes: { space: { freeInodes: 9 }, sees: /has 9 of 1000 inodes free$/ },
  'disk-filesystem': [
    { files: { '/proc/self/mountinfo': mounted('nfs4') }, sees: /is on nfs4 \(\/\), which is not a disk of this box/ },
    { files: { '/proc/self/mountinfo': mounted('tmpfs') }, sees: /which is memory/ },
    { files: { '/proc/self/mountinfo': mounted('overlay') }, sees: /which cannot hold another overlay/ },
    { files: { '/proc/self/mountinfo': mounted('vfat') }, sees: /which knows no owners/ },
  ],
  'disk-kind': [
    { files: { '/sys/dev/block/8:1/queue/rotational': '1\n' }, sees: /is on a spinning disk/, as: 'note' },
    {
      without: ['/sys/dev/block'],
      files: { '/sys/devices/mmcblk0/mmcblk0p2/partition': '2', '/sys/devices/mmcblk0/queue/rotational': '0' },
      links: { '/sys/dev/block/8:1': '../../devices/mmcblk0/mmcblk0p2' },
      sees: /is on a card \(mmcblk0p2\)/,
      as: 'note',
    },
  ],
  'disk-fsync': { fsyncMs: 80, sees: /half took over 80.0 ms and one in twenty over 80.0 ms/ },
  ports: {
    files: { '/proc/net/tcp': listening(6443) },
    sees: /^port 6443 \(kube-apiserver\) is taken by/,
    as: 'fatal',
  },
  'vxlan-port': {
    files: { '/proc/net/udp': 'sl local\n   7: 00000000:2118 00000000:0000 07 00000000:00000000\n' },
    sees: 'UDP port 8472 is taken',
  },
  'node-address': {
    box: { node: { nodeIp: '192.168.0.77' } },
    sees: "the node's address is not known: no interface of this box has 192.168.0.77",
    as: 'fatal',
  },
  'node-name': [
    { box: { hostname: 'localhost.localdomain' }, sees: /^this box is called localhost.localdomain/ },
    { box: { hostname: 'my_box' }, sees: /^the node name "my_box" is not one Kubernetes takes/, as: 'fatal' },
  ],
  'pod-network': {
    box: { components: [{ name: 'nodes', condition: failed('PodNetworkUnreachable', 'a2 does not answer a1') }] },
    sees: 'a2 does not answer a1',
  },
  'service-route': {
    files: { '/proc/net/route': 'Iface\n' },
    box: { isRunning: true },
    sees: 'there is neither a default route nor one to 10.43.0.0/16',
  },
  'address-ranges': {
    files: {
      '/proc/net/route': `${goodBox['/proc/net/route']}eth1\t00002A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`,
    },
    sees: '10.42.0.0/16 overlaps 10.42.0.0/24, which is reached by eth1',
  },
  mtu: { files: { '/sys/class/net/eth0/mtu': '1300\n' }, sees: 'the MTU of eth0 is 1300: 1250 are left for pods' },
  'dns-loop': [
    {
      files: { '/etc/resolv.conf': 'nameserver 127.0.0.53\n' },
      sees: "this host's resolv.conf names 127.0.0.53 alone, and pods do not reach this host's loopback",
    },
    { without: ['/etc/resolv.conf'], sees: 'no resolv.conf of this host names a server' },
    {
      files: { '/etc/resolv.conf': 'nameserver 2001:db8::53\n' },
      sees: "this host's resolv.conf names 2001:db8::53 alone, and pods have addresses of IPv4 alone",
    },
    {
      files: { '/srv/dns': 'nameserver ::1\n' },
      box: { resolvConf: '/srv/dns' },
      sees: "this host's resolv.conf names ::1 alone, and pods do not reach this host's loopback",
    },
  ],
  'dns-lookup': [
    { deafServers: { '192.0.2.53': 'ETIMEOUT' }, sees: 'the name server 192.0.2.53 does not resolve names (ETIMEOUT)' },
    {
      files: { '/etc/resolv.conf': 'nameserver 2001:db8::53\n' },
      deafServers: { '8.8.8.8': 'ECONNREFUSED' },
      sees: 'the name server 8.8.8.8 does not resolve names (ECONNREFUSED)',
    },
  ],
  'dns-servers': {
    files: { '/etc/resolv.conf': [1, 2, 3, 4].map((byte) => `nameserver 192.0.2.${byte}\n`).join('') },
    sees: /^there are 4 name servers/,
    as: 'note',
  },
  localhost: { files: { '/etc/hosts': '127.0.1.1 box\n' }, sees: '/etc/hosts has no 127.0.0.1 localhost' },
  'left-over-network': {
    files: { '/sys/class/net/flannel.1/mtu': '1450\n', '/sys/class/net/cni0/mtu': '1450\n' },
    sees: 'there are cni0, flannel.1, and no kagent has run here',
  },
  'iptables-version': {
    programs: { 'iptables --version': 'iptables v1.8.4 (nf_tables)\n' },
    sees: 'iptables is 1.8.4 (nf_tables)',
  },
  'iptables-flavours': {
    files: { '/proc/net/ip_tables_names': 'nat\nfilter\n' },
    sees: 'iptables works on nftables, and the old tables nat, filter are there as well',
    as: 'note',
  },
  firewalld: {
    programs: { 'firewall-cmd --state': 'running\n' },
    sees: 'firewalld runs and does not let the cluster through',
  },
  ufw: { files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' }, sees: 'ufw is on and does not let the cluster through' },
  'input-rules': [
    {
      programs: { 'iptables -S INPUT': '-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 6443 -j ACCEPT\n' },
      sees: 'no rule lets in 9345/tcp, 8472/udp, and the rest is refused',
    },
    {
      programs: {
        'iptables -S INPUT':
          '-P INPUT ACCEPT\n-A INPUT -p tcp -m multiport --dports 22,6000:7000 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n',
      },
      sees: 'no rule lets in 9345/tcp, 8472/udp, and the rest is refused',
    },
  ],
  nftables: {
    programs: { 'nft -j list ruleset': rulesetOf({ hook: 'input', accepting: [] }) },
    sees: 'the nft chain inet filter input drops 6443/tcp, 9345/tcp, 8472/udp',
  },
  clock: {
    needs: { clock: fakeClock(7000) },
    sees: /^the clock says 1970-01-01T00:00:07.000Z/,
    as: 'fatal',
  },
  'clock-kept': { without: ['/proc/101'], sees: 'no program that keeps the clock right runs here' },
  'other-kubernetes': { files: { '/proc/300/comm': 'k3s-server\n' }, sees: 'k3s-server runs here already' },
  'left-over-kubernetes': {
    files: { '/etc/kubernetes/manifests/etcd.yaml': '', '/var/lib/k0s/pki/ca.crt': '' },
    sees: 'kubeadm has left /etc/kubernetes/manifests, k0s has left /var/lib/k0s',
    as: 'note',
  },
  'nm-cloud-setup': {
    files: { '/etc/systemd/system/timers.target.wants/nm-cloud-setup.timer': '' },
    sees: 'nm-cloud-setup is enabled',
  },
  'network-manager': { files: { '/run/NetworkManager/': '' }, sees: /^NetworkManager runs, and has not been told/ },
};

test('there is a box with the fault for every check', () => {
  expect(Object.keys(faults).toSorted()).toEqual(hostDoctorChecks.map(({ name }) => name).toSorted());
});

// Programs of the machine itself are not the box's.
beforeAll(() => void vi.stubEnv('PATH', '/nowhere'));
afterAll(() => void vi.unstubAllEnvs());

test.each(hostDoctorChecks)('$name: is fine on a good box, before kagent runs there or then', async (check) => {
  const looked = [await check.look(patient()), await check.look(patient(runningBox))];
  expect(looked.filter((one) => 'notLooked' in one || one.length === 0)).toHaveLength(2);
  expect(looked).toContainEqual([]);
});

/** What they look at is not a file of the box, or its absence says that all is well. */
const needNoFile = `root clock data-dir disk-room inodes disk-fsync node-address node-name dns-lookup apparmor selinux
  sysctl-files iptables-flavours firewalld ufw address-ranges left-over-kubernetes left-over-network nm-cloud-setup
  network-manager`.split(/\s+/);

test('where nothing can be read nothing is called fine', async () => {
  const box = patient({ without: Object.keys(goodBox).filter((path) => !path.startsWith('/usr/')), programs: nothing });
  const { fine } = await examine(box);
  expect(fine.filter((name) => !needNoFile.includes(name))).toEqual([]);
});

test.each([
  ['disk-filesystem', mountedAt],
  ['data-dir-noexec', mountedAt],
])('%s: of a linked data dir the disk it leads to is looked at', async (name, mounts) => {
  const check = hostDoctorChecks.find((one) => one.name === name);
  const there = temporaryDir();
  const link = join(temporaryDir(), 'kagent');
  symlinkSync(there, link);
  const onDisk = { files: { '/proc/self/mountinfo': mounts('ext4', 'rw', there) }, needs: { dataDir: link } };
  expect(await faultsOf(check, patient(onDisk))).toEqual([]);
  const unfit = {
    files: { '/proc/self/mountinfo': mounts('tmpfs', 'rw,noexec', there, 'ext4') },
    needs: { dataDir: link },
  };
  expect(await faultsOf(check, patient(unfit))).toHaveLength(1);
});

const cases = hostDoctorChecks.flatMap((check) => [faults[check.name] ?? []].flat().map((one) => ({ check, one })));
test.each(cases)('$check.name: $one.sees', async ({ check, one }) => {
  const [fault, ...others] = await faultsOf(check, patient(one));
  expect(others).toEqual([]);
  expect(fault).toMatchObject({
    severity: one.as ?? 'warning',
    what: expect.stringMatching(asPattern(one.sees)) as unknown,
    ...(one.fix !== undefined && { fix: one.fix }),
  });
});

function asPattern(sees: string | RegExp): RegExp {
  return typeof sees === 'string' ? new RegExp(`^${RegExp.escape(sees)}$`) : sees;
}
