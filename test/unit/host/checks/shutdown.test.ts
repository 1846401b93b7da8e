import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { isGoingDown, prepareShutdown, removeScopeDropIn } from '../../../../src/host/checks/shutdown.ts';
import { openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import type { ServiceHost } from '../../../../src/host/service/service.ts';
import { fakeHost } from '../../../helpers/service-host.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const systemd = ['/run/systemd/system/x', ''] as const;
const scope = '/run/systemd/system/cri-containerd-.scope.d/50-kagent.conf';
const prepared = (host: ServiceHost, cgroupDriver: 'systemd' | 'cgroupfs') => {
  const undoLog = openUndoLog(join(temporaryDir(), 'journal.jsonl'));
  const waits = prepareShutdown({ host, undoLog, log: silentLog, cgroupDriver, serviceName: 'kagent' });
  return waits.then((value) => ({ waits: value, entries: undoLog.entries() }));
};

test("where logind answers, it waits, and the kubelet's setting of it is noted with what makes logind forget it", async () => {
  const host = fakeHost({ busctl: 't 5000000', systemctl: '' }, systemd, ['/etc/systemd/logind.conf', '']);
  const { waits, entries } = await prepared(host, 'cgroupfs');
  expect(waits).toBe(true);
  expect(entries).toEqual([
    {
      kind: 'command',
      what: expect.any(String),
      undo: ['sh', '-c', expect.stringContaining('--signal=HUP systemd-logind')],
    },
    { kind: 'folder', path: host.path('/etc/systemd/logind.conf.d') },
    { kind: 'file', path: host.path('/etc/systemd/logind.conf.d/99-kubelet.conf') },
  ]);
});

test('where logind or the bus is missing, or systemd was not booted, it does not wait and nothing is noted', async () => {
  expect(await prepared(fakeHost({ systemctl: '' }, systemd), 'systemd')).toEqual({ waits: false, entries: [] });
  const other = fakeHost({ busctl: 't 5000000' });
  expect(await prepared(other, 'cgroupfs')).toEqual({ waits: false, entries: [] });
  expect(other.commands).toEqual([]);
});

test("containers' scopes wait for kagent's end and are killed after seconds; systemd reads it once, and it goes again", async () => {
  const host = fakeHost({ systemctl: '' }, systemd);
  for (let start = 1; start <= 2; start++) await prepared(host, 'systemd');
  expect(readFileSync(host.path(scope), 'utf8')).toMatch(
    /\[Unit\]\nBefore=kagent.service\n\n\[Scope\]\nTimeoutStopSec=5s\n/,
  );
  const reloads = () => host.commands.filter((line) => line === 'systemctl daemon-reload').length;
  expect(reloads()).toBe(1);
  await removeScopeDropIn(host);
  expect([existsSync(dirname(host.path(scope))), existsSync(host.path('/run/systemd/system')), reloads()]).toEqual([
    false,
    true,
    2,
  ]);
  await removeScopeDropIn(host);
  expect(reloads()).toBe(2);
});

test.each([
  ['systemd that shuts down', () => fakeHost({ 'systemctl is-system-running': 'stopping' }, systemd), true],
  ['systemd that runs', () => fakeHost({ 'systemctl is-system-running': 'running' }, systemd), false],
  ['systemd with a failed unit', () => fakeHost({ 'systemctl is-system-running': 'degraded' }, systemd), false],
  ['OpenRC in its last runlevel', () => fakeHost({}, ['/run/openrc/softlevel', 'shutdown\n']), true],
  ['OpenRC', () => fakeHost({}, ['/run/openrc/softlevel', 'default\n']), false],
  ['no service manager', () => fakeHost({}), false],
])('%s: whether the host goes down', async (_, host, expected) => {
  expect(await isGoingDown(host())).toBe(expected);
});

test('something else in the place of its drop-in ends no start', async () => {
  const host = fakeHost({ systemctl: '' }, systemd, [dirname(scope), 'a file']);
  const { waits } = await prepared(host, 'systemd');
  expect(waits).toBe(false);
  expect(readFileSync(host.path(dirname(scope)), 'utf8')).toBe('a file');
});
