import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fakeClock } from '../../../helpers/clock.ts';
import { cpuTimeMs } from '../../../helpers/cpu-time.ts';
import { checkHost } from '../../../../src/host/checks/check.ts';
import type { HostNeeds } from '../../../../src/host/checks/check.ts';
import type { Clock } from '../../../../src/shared/clock.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { fakeRoot } from './fake-root.ts';

const builtAt = '2026-01-02T00:00:00.000Z';
const clockAt = (time: string): Clock => fakeClock(Date.parse(time));

const goodBox = {
  '/proc/filesystems': 'nodev\toverlay\n',
  '/proc/sys/kernel/osrelease': '6.1.0\n',
  '/boot/config-6.1.0': ['OVERLAY_FS', 'BRIDGE', 'BRIDGE_NETFILTER', 'VETH', 'NF_CONNTRACK', 'NF_NAT', 'VXLAN']
    .map((option) => `CONFIG_${option}=y\n`)
    .join(''),
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n',
  '/etc/os-release': 'ID=debian\n',
  '/usr/sbin/iptables': '',
  '/usr/sbin/iptables-save': '',
  '/usr/sbin/iptables-restore': '',
};

function needs(changes: Partial<HostNeeds> = {}, box: Readonly<Record<string, string>> = goodBox): HostNeeds {
  return {
    dataDir: join(temporaryDir(), 'data'),
    ports: [],
    builtAt,
    flannelBackend: 'vxlan',
    root: fakeRoot(box),
    clock: clockAt('2026-06-01T00:00:00Z'),
    uid: 0,
    minFreeMiB: 1,
    ...changes,
  };
}

async function codes(needed: HostNeeds): Promise<readonly string[]> {
  return (await checkHost(needed)).map((problem) => problem.code);
}

test('a good box has no problems, and every problem is for its operator', async () => {
  expect(await checkHost(needs())).toEqual([]);
  const problems = await checkHost(needs({ clock: clockAt('2020-01-01T00:00:00Z'), minFreeMiB: 2 ** 40 }, {}));
  expect(problems.map((problem) => problem.fault)).toEqual(problems.map(() => 'operator'));
});

test('whoever is not root hears that alone, with the user it is', async () => {
  const [problem, ...others] = await checkHost(needs({ uid: 1000, minFreeMiB: 2 ** 40 }));
  expect(others).toEqual([]);
  expect(problem?.message).toBe('kagent runs as user 1000 but needs root to start containers; run it with sudo');
});

test('a clock before the build date is a problem with both dates in it', async () => {
  const [problem] = await checkHost(needs({ clock: clockAt('1970-01-01T00:00:07Z') }));
  expect(problem?.code).toBe('HOST_CLOCK_BEHIND');
  expect(problem?.message).toContain('1970-01-01T00:00:07.000Z');
  expect(problem?.message).toContain(builtAt);
});

test('a disk with too little space is a problem with the number', async () => {
  const [problem] = await checkHost(needs({ minFreeMiB: 2 ** 40 }));
  expect(problem?.code).toBe('HOST_DISK_FULL');
  expect(problem?.message).toMatch(/has \d+ MiB free but kagent needs 1099511627776 MiB/);
});

test('a data dir below a file cannot be written, and the message says why', async () => {
  const file = join(temporaryDir(), 'file');
  writeFileSync(file, '');
  const [problem] = await checkHost(needs({ dataDir: join(file, 'data') }));
  expect(problem?.message).toContain(`${file}/data cannot be written: a part of the path is not a folder`);
});

test('a data dir without write permission is a problem to all but root', async () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'data'));
  chmodSync(join(dir, 'data'), 0o500);
  const expected = process.getuid?.() === 0 ? [] : ['HOST_DATA_DIR_NOT_WRITABLE'];
  expect(await codes(needs({ dataDir: join(dir, 'data') }))).toEqual(expected);
});

test('a board that boots without the memory cgroup hears which words to add', async () => {
  expect(await codes(needs({}, { ...goodBox, '/sys/fs/cgroup/cgroup.controllers': 'cpu pids\n' }))).toEqual([
    'HOST_MEMORY_CGROUP_MISSING',
  ]);
});

test('a kernel that says it has no VXLAN is a problem for the vxlan backend only', async () => {
  const config = goodBox['/boot/config-6.1.0'].replace('CONFIG_VXLAN=y\n', '');
  const box = { ...goodBox, '/boot/config-6.1.0': config, '/proc/sys/kernel/osrelease': '6.1.0\n' };
  expect(await codes(needs({ flannelBackend: 'host-gw' }, box))).toEqual([]);
});

test('a server without an agent needs no iptables and no kernel features', async () => {
  expect(await codes(needs({ flannelBackend: undefined }, {}))).toEqual([]);
});

test('all checks together take less than 200 ms of the processor', async () => {
  const real: HostNeeds = {
    dataDir: temporaryDir(),
    ports: [{ port: 1, purpose: 'nobody' }],
    builtAt,
    flannelBackend: 'vxlan',
    uid: 0,
  };
  expect(await cpuTimeMs(() => checkHost(real))).toBeLessThan(200);
});
