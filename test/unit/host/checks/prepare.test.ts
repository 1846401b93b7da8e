import { expect, test } from 'vitest';
import { cgroupDriver, cgroupVersion, hasMemoryCgroup } from '../../../../src/host/checks/cgroup.ts';
import { hasCapability } from '../../../../src/host/checks/capability.ts';
import { prepareHost } from '../../../../src/host/checks/prepare.ts';
import { openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { fakeRoot } from './fake-root.ts';

const capSysResource = 24;

test('bit 24 of the bounding set tells whether scores may be lowered', () => {
  expect(hasCapability('CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n', capSysResource)).toBe(true);
  expect(hasCapability('CapBnd:\t000001fffeffffff\n', capSysResource)).toBe(false);
  expect(hasCapability('', capSysResource)).toBe(false);
});

test('the three kinds of cgroup mounts are told apart, and systemd is the driver on the one that is its own', () => {
  const v2 = fakeRoot({ '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n' });
  const hybrid = fakeRoot({ '/sys/fs/cgroup/unified/': '', '/sys/fs/cgroup/memory/': '' });
  const v1 = fakeRoot({ '/sys/fs/cgroup/cpu/': '' });
  expect([v2, hybrid, v1].map(cgroupVersion)).toEqual(['v2', 'hybrid', 'v1']);
  expect([v2, hybrid, v1].map(hasMemoryCgroup)).toEqual([true, true, false]);
  expect([v2, hybrid, v1].map((root) => cgroupDriver(root, true))).toEqual(['systemd', 'cgroupfs', 'cgroupfs']);
  expect(cgroupDriver(v2, false)).toBe('cgroupfs');
});

test('an interface that is not there is named', async () => {
  const paths = pathsOf(temporaryDir());
  const options = {
    paths,
    undoLog: openUndoLog(paths.undoLog),
    log: silentLog,
    flannelBackend: 'none',
    root: fakeRoot({}),
  } as const;
  const preparing = prepareHost({ ...options, nodeName: 'a', interfaceName: 'lan7' });
  await expect(preparing).rejects.toThrow('the interface lan7 has no IPv4 address; set --node-ip');
});
