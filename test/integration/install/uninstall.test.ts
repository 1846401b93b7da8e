import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimFolders } from '../../../src/agent/remove/claim.ts';
import { runKillall, runUninstall, type BoxParts } from '../../../src/agent/remove/remove.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { createServiceManager, daemonPid, hostAt } from '../../../src/shared/service/service.ts';
import { makeBox, makeCheckout, type Box } from './box.ts';

/** Pods, links and rules are the whole box's: other tests end those. */
function fakeParts(asked: string[]): BoxParts {
  return {
    endPods: async () => {
      asked.push('endPods');
      return { left: [] };
    },
    removeNetwork: async () => {
      asked.push('removeNetwork');
      return { left: [] };
    },
    removeCgroups: () => {
      asked.push('removeCgroups');
      return [];
    },
    restoreHost: () => {
      asked.push('restoreHost');
      return [];
    },
  };
}

function options(box: Box) {
  const host = hostAt(box.root);
  const readiness = async () => ({ ready: true, text: '' });
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

/** Every path below the box but the checkout and npm's own. */
function files(box: Box): readonly string[] {
  return readdirSync(box.root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^(checkout|\.npm|commands)/.test(path))
    .filter((path) => !statSync(box.path(path)).isDirectory())
    .toSorted();
}

test('uninstall leaves the box as it was before the installation, and a second run finds nothing', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  mkdirSync(box.path('usr/local/bin'), { recursive: true });
  writeFileSync(box.path('usr/local/bin/owners-tool'), '');
  mkdirSync(box.path('etc'));
  writeFileSync(box.path('etc/rc.local'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const before = files(box);
  await box.install(script, ['server'], { KAGENT_TOKEN: 'a' });
  expect(box.read('etc/rc.local')).toContain('kagent.start');
  const pid = daemonPid(box.path('run/kagent/kagent.pid')) ?? 0;
  expect(pid).toBeGreaterThan(0);

  const asked = options(box);
  expect(await runUninstall(asked)).toMatchObject({ failed: [] });
  expect(asked.asked).toEqual(['endPods', 'removeNetwork', 'removeCgroups', 'restoreHost']);
  expect(existsSync(`/proc/${pid}/cwd`)).toBe(false);
  expect(files(box)).toEqual(before);
  expect(box.read('etc/rc.local')).toBe('#!/bin/sh\nexit 0\n');
  expect(existsSync(process.execPath)).toBe(true);
  for (const gone of ['etc/kagent', 'var/lib/kagent', 'run/kagent']) expect(existsSync(box.path(gone))).toBe(false);

  expect(await runUninstall(options(box))).toMatchObject({ failed: [] });
});

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

test('what others had in a customary folder stays and is named; kept data stays too', async () => {
  const box = makeBox();
  await box.install(makeCheckout(box), ['server']);
  const asked = options(box);
  const ours = box.path('ours');
  claimFolders(asked.paths, [ours]);
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
  const tree = join(import.meta.dirname, '../../../src/agent/remove/tree.ts');
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
