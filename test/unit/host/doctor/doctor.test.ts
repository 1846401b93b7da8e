import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { examine, quickChecks, repair } from '../../../../src/host/doctor/doctor.ts';
import type { Finding } from '../../../../src/host/doctor/doctor.ts';
import { hostChecks } from '../../../../src/host/checks/checks.ts';
import { hostDoctorChecks } from '../../../../src/host/doctor/checks/checks.ts';
import type { Made } from '../../../../src/host/undo-log/undo-log.ts';
import { patient } from './patient.ts';
import type { Changes, Patient } from './patient.ts';

const names = (findings: readonly Finding[]) => findings.map(({ check }) => check);

/** Repairs a box. @returns what was done, and what was noted, each with what had been done by then */
async function repaired(changes: Changes) {
  const box = patient(changes);
  const made: Made[] = [];
  const ranBefore: number[] = [];
  const done = await repair(box, {
    record(one) {
      made.push(one);
      ranBefore.push(box.ran.length);
    },
  });
  return { box, made, ranBefore, done: done.map(({ what }) => what) };
}

const text = (box: Patient, path: string) => box.root.read(path);

test('a good box is fit, and every check says so, or why it has not looked', async () => {
  const { findings, fine, notLooked } = await examine(patient());
  expect(findings).toEqual([]);
  expect([...fine, ...notLooked.map(({ check }) => check)].toSorted()).toEqual(
    hostDoctorChecks.map(({ name }) => name).toSorted(),
  );
  expect(notLooked).toContainEqual({ check: 'components', because: 'no kagent runs here' });
});

test('whatever a start would refuse is a check of the doctor', () => {
  expect(hostDoctorChecks.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(hostChecks)));
});

test('whoever is not root hears that alone', async () => {
  const { findings } = await examine(patient({ needs: { uid: 1000 }, without: ['/dev/kmsg'] }));
  expect(findings).toMatchObject([
    { check: 'root', severity: 'fatal', code: 'HOST_NOT_ROOT', fix: 'run it with sudo' },
  ]);
});

test('a server without a node of its own is asked nothing about pods', async () => {
  const { findings } = await examine(
    patient({ needs: { flannelBackend: undefined }, without: ['/usr/sbin', '/dev/kmsg'] }),
  );
  expect(findings).toEqual([]);
});

test('the worst comes first', async () => {
  const { findings } = await examine(
    patient({
      files: { '/proc/swaps': 'Filename\n/swap file\n', '/etc/hosts': '' },
      needs: { dataDir: '/dev/null/data' },
    }),
  );
  expect(findings.map(({ severity }) => severity)).toEqual(['fatal', 'warning', 'note']);
});

test('looking leaves no data dir behind that was not there', async () => {
  const box = patient();
  await examine(box);
  expect(existsSync(box.needs.dataDir)).toBe(false);
});

test('a start runs the cheap checks only, and tells of warnings alone', async () => {
  const box = patient({
    files: { '/proc/meminfo': 'MemTotal: 900000 kB\n', '/proc/swaps': 'Filename\n/swap file\n' },
    without: ['/proc/101'],
  });
  expect(names(await quickChecks(box))).toEqual(['memory']);
  expect(box.ran).toEqual([]);
});

test('a Raspberry Pi gets the words for the memory cgroup on its one line, and the old line is kept for uninstalling', async () => {
  const off = { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu pids\n' };
  const { box, made, done } = await repaired({
    files: { ...off, '/boot/firmware/cmdline.txt': 'console=tty1 root=PARTUUID=1 cgroup_memory=1\n' },
  });
  const path = '/boot/firmware/cmdline.txt';
  expect(text(box, path)).toBe('console=tty1 root=PARTUUID=1 cgroup_memory=1 cgroup_enable=memory\n');
  expect(made).toMatchObject([{ kind: 'file', path: box.root.path(path) }]);
  expect(done).toEqual([`${path} says cgroup_enable=memory: reboot`]);
  const older = await repaired({ files: { ...off, '/boot/cmdline.txt': 'root=/dev/sda\n' } });
  expect(text(older.box, '/boot/cmdline.txt')).toBe('root=/dev/sda cgroup_enable=memory cgroup_memory=1\n');
});

test('a setting that was set back is set again, now and for the next boot', async () => {
  const { box, made } = await repaired({ files: { '/proc/sys/net/ipv4/ip_forward': '0\n' }, box: { isRunning: true } });
  expect(text(box, '/proc/sys/net/ipv4/ip_forward')).toBe('1');
  expect(text(box, '/etc/sysctl.d/90-kagent.conf')).toBe('net.ipv4.ip_forward = 1\n');
  expect(made).toEqual([
    { kind: 'file', path: box.root.path('/etc/sysctl.d/90-kagent.conf') },
    { kind: 'sysctl', name: 'net/ipv4/ip_forward', before: '0', bootId: 'boot-1' },
  ]);
});

test('a file that undoes a setting is overruled, not changed; further settings join those in our file', async () => {
  const { box } = await repaired({
    files: {
      '/etc/sysctl.d/10-lan.conf': 'net.ipv4.ip_forward = 0\n',
      '/etc/sysctl.d/90-kagent.conf': 'kernel.pid_max = 4194304\n',
    },
  });
  expect(text(box, '/etc/sysctl.d/10-lan.conf')).toBe('net.ipv4.ip_forward = 0\n');
  expect(text(box, '/etc/sysctl.d/90-kagent.conf')).toBe('kernel.pid_max = 4194304\nnet.ipv4.ip_forward = 1\n');
  expect(names((await examine(box)).findings)).toEqual([]);
});

test('a setting of a module that is not loaded waits for the next boot', async () => {
  const { box, made } = await repaired({
    files: { '/etc/sysctl.d/10-lan.conf': 'net.bridge.bridge-nf-call-iptables = 0\n' },
  });
  expect(text(box, '/etc/sysctl.d/90-kagent.conf')).toBe('net.bridge.bridge-nf-call-iptables = 1\n');
  expect(made.map(({ kind }) => kind)).toEqual(['file']);
});

test.each([
  ['process ids', { '/proc/sys/kernel/pid_max': '4096\n' }, '/proc/sys/kernel/pid_max', '4194304'],
  ['file handles', { '/proc/sys/fs/file-nr': '95\t0\t100\n' }, '/proc/sys/fs/file-max', '2097152'],
])('too few %s are made more', async (_, files, path, value) => {
  expect(text((await repaired({ files })).box, path)).toBe(value);
});

test('inotify instances are made more', async () => {
  const { box } = await repaired({
    files: { '/proc/sys/fs/inotify/max_user_instances': '1\n' },
    links: { '/proc/102/fd/4': 'anon_inode:inotify' },
  });
  expect(text(box, '/proc/sys/fs/inotify/max_user_instances')).toBe('8192');
});

test('modules that cannot be loaded now are named for the next boot', async () => {
  const { box, done } = await repaired({
    files: {
      '/lib/modules/6.12.0/modules.dep': 'kernel/br_netfilter.ko:\n',
      '/proc/sys/kernel/modules_disabled': '1\n',
    },
  });
  expect(text(box, '/etc/modules-load.d/kagent.conf')).toBe('br_netfilter\n');
  expect(done).toEqual(['/etc/modules-load.d/kagent.conf names br_netfilter', 'they are loaded at the next boot']);
});

test('localhost is added to a file whose last line has no end', async () => {
  const { box } = await repaired({ files: { '/etc/hosts': '127.0.1.1 box' } });
  expect(text(box, '/etc/hosts')).toBe('127.0.1.1 box\n127.0.0.1 localhost\n');
});

test('ufw lets in what is missing alone; each rule is noted before it is made', async () => {
  const rules = ['allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in', 'allow any any 0.0.0.0/0 any 10.43.0.0/16 in'];
  const { box, made, ranBefore } = await repaired({
    files: {
      '/etc/ufw/ufw.conf': 'ENABLED=yes\n',
      '/etc/ufw/user.rules': rules.map((rule) => `### tuple ### ${rule}\n-A ufw-user-input\n`).join(''),
    },
    programs: { 'ufw allow 9345/tcp': 0, 'ufw allow 8472/udp': 0, 'ufw allow from 10.42.0.0/16': 0 },
  });
  const ran = box.ran.filter((line) => line.startsWith('ufw'));
  expect(ran).toEqual(['ufw allow 9345/tcp', 'ufw allow 8472/udp', 'ufw allow from 10.42.0.0/16']);
  expect(made.map((one) => one.kind === 'command' && one.undo.join(' '))).toEqual([
    'ufw delete allow 9345/tcp',
    'ufw delete allow 8472/udp',
    'ufw delete allow from 10.42.0.0/16',
  ]);
  expect(ranBefore.map((count) => box.ran[count])).toEqual(ran);
});

test('firewalld lets in ports and ranges for good; undone from the newest on, it is read anew at the end', async () => {
  const ok = Object.fromEntries(
    [
      '--state',
      '--query-port=6443/tcp',
      '--permanent --add-port=9345/tcp',
      '--permanent --add-port=8472/udp',
      '--permanent --zone=trusted --add-source=10.42.0.0/16',
      '--permanent --zone=trusted --add-source=10.43.0.0/16',
      '--reload',
    ].map((words) => [`firewall-cmd ${words}`, 0]),
  );
  const { made, done } = await repaired({ programs: ok });
  expect(done).toHaveLength(4);
  expect(made.toReversed().map((one) => one.kind === 'command' && one.undo.join(' '))).toEqual([
    'firewall-cmd --permanent --zone=trusted --remove-source=10.43.0.0/16',
    'firewall-cmd --permanent --zone=trusted --remove-source=10.42.0.0/16',
    'firewall-cmd --permanent --remove-port=8472/udp',
    'firewall-cmd --permanent --remove-port=9345/tcp',
    'firewall-cmd --reload',
  ]);
});

test('NetworkManager is told to leave the devices alone, and nm-cloud-setup is disabled', async () => {
  const units = 'nm-cloud-setup.service nm-cloud-setup.timer';
  const { box, made } = await repaired({
    files: { '/run/NetworkManager/': '', '/etc/systemd/system/timers.target.wants/nm-cloud-setup.timer': '' },
    programs: { 'nmcli general reload': 0, [`systemctl disable --now ${units}`]: 0 },
  });
  expect(text(box, '/etc/NetworkManager/conf.d/kagent.conf')).toContain('interface-name:cni*');
  expect(made.map(({ kind }) => kind)).toEqual(['command', 'file', 'command']);
});

test('a repair that fails is told with its command, and the others are done', async () => {
  const { done } = await repaired({
    files: { '/etc/hosts': '', '/etc/ufw/ufw.conf': 'ENABLED=yes\n' },
    programs: { 'ufw allow 6443/tcp': 1 },
  });
  expect(done).toEqual([
    '/etc/hosts names 127.0.0.1 localhost',
    'not done: "ufw allow 6443/tcp" ended with 1; run it by hand to see why',
  ]);
});

test('notes are left to people: swap stays on', async () => {
  const { made, done } = await repaired({ files: { '/proc/swaps': 'Filename\n/swapfile file\n' } });
  expect({ made, done }).toEqual({ made: [], done: [] });
});

test('every repair has been tried here', () => {
  const tried = [
    'kernel-modules',
    'cgroup-memory',
    'sysctls',
    'sysctl-files',
    'inotify',
    'file-handles',
    'process-ids',
  ];
  const further = ['localhost', 'firewalld', 'ufw', 'nm-cloud-setup', 'network-manager'];
  expect(hostDoctorChecks.flatMap((check) => ('repair' in check ? check.name : []))).toEqual([...tried, ...further]);
});

test('a check that fails at some odd file ends no start', async () => {
  const box = patient();
  const fail = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  expect(await quickChecks({ ...box, root: { ...box.root, read: fail } })).toEqual([]);
});
