import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runKillall, runUninstall } from '../../../src/host/remove/remove.ts';
import type { NodeParts } from '../../../src/host/remove/remove.ts';
import { claimOf, openUndoLog } from '../../../src/host/undo-log/undo-log.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { createServiceManager, daemonPid, hostAt } from '../../../src/host/service/service.ts';
import { link, makeBox, makeCheckout } from './box.ts';
import type { Box } from './box.ts';

/** Pods, links and rules are the whole box's: other tests end those. */
function fakeParts(asked: string[], routesLocalnet = false): NodeParts {
  return {
    routesLocalnet: () => routesLocalnet,
    endPods: async () => {
      asked.push('endPods');
      return { left: [], stayed: [] };
    },
    removeNetwork: async ({ keepLoopbackGuard }) => {
      asked.push(keepLoopbackGuard === true ? 'removeNetwork but for the guard' : 'removeNetwork');
      return { left: [] };
    },
    removeCgroups: () => {
      asked.push('removeCgroups');
      return [];
    },
    restoreSysctl: ({ name }) => {
      asked.push(name);
      return {};
    },
  };
}

function options(box: Box) {
  const host = hostAt(box.root);
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const managers = (['none', 'systemd', 'openrc'] as const).map((kind) =>
    createServiceManager(kind, { host, readiness }),
  );
  const lines: string[] = [];
  const asked: string[] = [];
  const print = (line: string) => void lines.push(line);
  const paths = pathsOf(box.path('var/lib/kagent'));
  const executable = process.execPath; // as in development: not the installer's, so it stays
  return {
    lines,
    asked,
    paths,
    host,
    managers,
    log: silentLog,
    print,
    parts: fakeParts(asked),
    executable,
    keepData: false,
  };
}

/** Every path below the box but the checkout, npm's own, and the folders of the box that a checkout's installer makes. */
function files(box: Box): readonly string[] {
  return readdirSync(box.root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^(checkout|\.npm|commands)/.test(path))
    .toSorted();
}

test('uninstall leaves the box as it was before the installation, and a second run finds nothing', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  mkdirSync(box.path('usr/local/bin'), { recursive: true });
  writeFileSync(box.path('usr/local/bin/owners-tool'), '');
  for (const dir of ['etc', 'run']) mkdirSync(box.path(dir));
  writeFileSync(box.path('etc/rc.local'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const before = files(box);
  await box.install(script, ['server'], { KAGENT_TOKEN: 'a' });
  expect(box.read('etc/rc.local')).toContain('kagent.start');
  const pid = daemonPid(box.path('run/kagent/kagent.pid')) ?? 0;
  expect(pid).toBeGreaterThan(0);

  const asked = options(box);
  expect(await runUninstall(asked)).toMatchObject({ failed: [] });
  expect(asked.asked).toEqual(['endPods', 'removeNetwork', 'removeCgroups']);
  expect(existsSync(`/proc/${pid}/cwd`)).toBe(false);
  expect(files(box)).toEqual(before);
  expect(box.read('etc/rc.local')).toBe('#!/bin/sh\nexit 0\n');
  expect(existsSync(process.execPath)).toBe(true);
  for (const gone of ['etc/kagent', 'var/lib/kagent', 'run/kagent']) expect(existsSync(box.path(gone))).toBe(false);

  expect(await runUninstall(options(box))).toMatchObject({ failed: [] });
});

test('what its owner had there before is there again: a command that a link replaced, settings, a folder that was empty', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  for (const dir of ['opt', 'var/lib/kagent', 'etc/kagent', 'run']) mkdirSync(box.path(dir), { recursive: true });
  writeFileSync(box.path('etc/kagent/config.yaml'), 'debug: false\n');
  const before = files(box);
  const env = { INSTALL_KAGENT_BIN_DIR: box.path('opt/deep/bin'), INSTALL_KAGENT_SYMLINK: 'force' };
  mkdirSync(box.path('opt/deep/bin'), { recursive: true });
  writeFileSync(box.path('opt/deep/bin/kubectl'), 'mine');
  await box.install(script, ['server'], env);
  expect(readlinkSync(box.path('opt/deep/bin/kubectl'))).toBe('kagent');
  const outcome = await runUninstall(options(box));
  expect(outcome.failed).toEqual([]);
  expect(outcome.stayed).toContain(`${box.path('etc/kagent/config.yaml')}: it was there before kagent`);
  expect(box.read('opt/deep/bin/kubectl')).toBe('mine');
  rmSync(box.path('opt/deep'), { recursive: true });
  expect(files(box)).toEqual(before);
});

test('folders that were made for the executable and the data go with them', async () => {
  const box = makeBox();
  for (const dir of ['opt', 'etc', 'run']) mkdirSync(box.path(dir));
  const script = makeCheckout(box);
  const before = files(box);
  await box.install(script, ['server', '--data-dir', box.path('opt/a/b/data')], {
    INSTALL_KAGENT_BIN_DIR: box.path('opt/deep/bin'),
    INSTALL_KAGENT_SKIP_START: 'true',
  });
  expect(existsSync(box.path('opt/a/b/data/journal.jsonl'))).toBe(true);
  const asked = { ...options(box), paths: pathsOf(box.path('opt/a/b/data')) };
  expect(await runUninstall(asked)).toMatchObject({ failed: [] });
  expect(files(box)).toEqual(before);
});

test('packages that the installer had installed stay, and are named once', async () => {
  const box = makeBox();
  mkdirSync(box.path('run'));
  await box.install(makeCheckout(box), ['server']);
  const again = [
    '--installed-package=iptables',
    '--installed-package=kmod',
    '--made-folder=/not/there',
    '--',
    'server',
  ];
  const kagent = box.path('usr/local/bin/kagent');
  const ran = await box.run(kagent, 'service', 'install', '--root', box.root, '--manager=none', '--no-start', ...again);
  expect(ran).toMatchObject({ code: 0 });
  const { stayed } = await runUninstall(options(box));
  expect(stayed.filter((one) => one.startsWith('the package')).map((one) => one.split(':')[0])).toEqual([
    'the package kmod',
    'the package iptables',
  ]);
  expect((await runUninstall(options(box))).stayed.join()).not.toContain('package');
});

test('an installation that broke off after its first file is taken away by the executable it had put there', async () => {
  const box = makeBox();
  for (const dir of ['etc', 'run', 'var/lib', 'usr/local/bin']) mkdirSync(box.path(dir), { recursive: true });
  const script = makeCheckout(box);
  const before = files(box);
  box.command('ln', 'kill -KILL $PPID\n'); // the power went at the first link
  expect((await box.install(script, ['server'])).code).not.toBe(0);
  expect(files(box)).toContain('usr/local/bin/kagent');
  const executable = box.path('usr/local/bin/kagent');
  expect(await runUninstall({ ...options(box), executable })).toMatchObject({ failed: [] });
  expect(files(box)).toEqual(before);
});

test.each([
  ['etc/init.d', 'kagent', 'etc/runlevels/default', /'rc-service --ifstarted kagent stop' failed/],
  [
    'etc/systemd/system',
    'kagent.service',
    'etc/systemd/system/multi-user.target.wants',
    /'systemctl stop kagent.service'/,
  ],
])(
  'a service in %s whose manager does not work any more keeps nothing else from being stopped, and goes',
  async (...row) => {
    const [dir, name, enabledIn, complaint] = row;
    const box = makeBox();
    for (const command of ['systemctl', 'rc-service', 'rc-update']) box.command(command, 'exit 1\n');
    await box.install(makeCheckout(box), ['server']);
    for (const folder of [dir, enabledIn]) mkdirSync(box.path(folder), { recursive: true });
    writeFileSync(box.path(dir, name), '# kagent-service: /usr/local/bin/kagent server\n');
    link(`../${name}`, box.path(enabledIn, name));
    expect((await runKillall(options(box))).failed.join()).toMatch(complaint);
    expect(daemonPid(box.path('run/kagent/kagent.pid'))).toBeUndefined();
    await runUninstall(options(box));
    expect((await runUninstall(options(box))).failed).toEqual([]);
    expect([...readdirSync(box.path(dir)), ...readdirSync(box.path(enabledIn))].filter((one) => one === name)).toEqual(
      [],
    );
  },
);

test('killall stops the daemon and leaves every file', async () => {
  const box = makeBox();
  await box.install(makeCheckout(box), ['server']);
  const before = files(box).filter((path) => !path.startsWith('run/'));
  const asked = options(box);
  expect(await runKillall(asked)).toEqual({ stayed: [], failed: [] });
  expect(daemonPid(box.path('run/kagent/kagent.pid'))).toBeUndefined();
  expect(files(box).filter((path) => !path.startsWith('run/'))).toEqual(before);
  expect(asked.lines[0]).toMatch(/^kagent stopped \(/);
});

const sysctl = (name: string, before: string) => ({ kind: 'sysctl', name, before, after: '1', bootId: 'x' }) as const;

test('killall closes what the rules kept closed before it takes the rules away, and leaves other settings', async () => {
  const box = makeBox();
  const asked = options(box);
  mkdirSync(asked.paths.dataDir, { recursive: true });
  openUndoLog(asked.paths.undoLog).record(
    sysctl('net/ipv4/conf/all/route_localnet', '0'),
    sysctl('net/ipv4/ip_forward', '0'),
    sysctl('vm/panic_on_oom', '0'),
  );
  await runKillall(asked);
  const [pods, ...then] = asked.asked;
  expect(pods).toBe('endPods');
  expect(then).toEqual(['net/ipv4/ip_forward', 'net/ipv4/conf/all/route_localnet', 'removeNetwork', 'removeCgroups']);
  expect(openUndoLog(asked.paths.undoLog).entries()).toEqual([sysctl('vm/panic_on_oom', '0')]);
});

test.each([
  ['0', 'removeNetwork but for the guard', 1],
  ['1', 'removeNetwork', 0], // its owner had opened 127.0.0.1 before kagent came
])('where route_localnet was %s and is 1 in the end, killall does: %s', async (before, expected, sentences) => {
  const box = makeBox();
  const asked = options(box);
  mkdirSync(asked.paths.dataDir, { recursive: true });
  openUndoLog(asked.paths.undoLog).record(sysctl('net/ipv4/conf/all/route_localnet', before));
  const { stayed } = await runKillall({ ...asked, parts: fakeParts(asked.asked, true) });
  expect(asked.asked).toContain(expected);
  expect(stayed.filter((one) => one.includes('KUBE-FIREWALL'))).toHaveLength(sentences);
});

test('what others had in a customary folder stays and is named; kept data stays too', async () => {
  const box = makeBox();
  await box.install(makeCheckout(box), ['server']);
  const asked = options(box);
  const ours = box.path('ours');
  openUndoLog(asked.paths.undoLog).record(claimOf(ours));
  mkdirSync(ours);
  const outcome = await runUninstall({ ...asked, keepData: true });
  expect(outcome.stayed).toContain(`${asked.paths.dataDir}: as asked`);
  expect(existsSync(asked.paths.dataDir)).toBe(true);
  expect(existsSync(ours)).toBe(true);
  expect(await runUninstall(options(box))).toMatchObject({ failed: [] });
  expect(existsSync(asked.paths.dataDir)).toBe(false);
  expect(existsSync(ours)).toBe(false);
});

test('a real mount below the data dir is not descended into', () => {
  const box = makeBox();
  mkdirSync(box.path('data/volume'), { recursive: true });
  mkdirSync(box.path('disk'));
  writeFileSync(box.path('disk/precious'), '');
  writeFileSync(box.path('data/file'), '');
  const tree = join(import.meta.dirname, '../../../src/host/remove/tree.ts');
  const program = `import { removeTree } from '${tree}'; console.log(JSON.stringify(await removeTree('${box.path('data')}')))`;
  // A bind mount of the same file system: its device number does not give it away.
  const script = `mount --bind '${box.path('disk')}' '${box.path('data/volume')}'
exec '${process.execPath}' --input-type=module-typescript -e "$1"`;
  const unshare = ['--user', '--map-root-user', '--mount', 'sh', '-ec', script, 'sh', program];
  const said = execFileSync('unshare', unshare, { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual({
    stayed: [`${box.path('data/volume')}: something is mounted there`],
    failed: [],
  });
  expect(existsSync(box.path('disk/precious'))).toBe(true);
  expect(existsSync(box.path('data/file'))).toBe(false);
});

test('where something fails the executable stays, with what a second run needs, and goes when nothing fails', async () => {
  const box = makeBox();
  for (const dir of ['etc', 'run', 'var/lib', 'opt']) mkdirSync(box.path(dir), { recursive: true });
  const before = files(box);
  const dataDir = box.path('opt/data');
  await box.install(makeCheckout(box), ['server', '--data-dir', dataDir]);
  const kagent = box.path('usr/local/bin/kagent');
  const asked = { ...options(box), paths: pathsOf(dataDir), executable: kagent };
  const busy = { ...asked.parts, endPods: async () => ({ left: ['mount /a stays: busy'], stayed: [] }) };
  const failed = await runUninstall({ ...asked, parts: busy });
  expect(failed.failed).toEqual(['mount /a stays: busy']);
  expect(failed.stayed).toContain(
    `${kagent}: what has failed can be tried again with it: ${kagent} uninstall --data-dir ${dataDir}`,
  );
  expect([existsSync(kagent), existsSync(join(dataDir, 'journal.jsonl'))]).toEqual([true, true]);
  expect(await runUninstall(asked)).toMatchObject({ failed: [] });
  expect(existsSync(kagent)).toBe(false);
  expect(files(box)).toEqual(before);
});
