import { existsSync, mkdirSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { daemonPid } from '../../../src/host/service/service.ts';
import { makeBox, makeCheckout, writeExecutable } from './box.ts';
import type { Box } from './box.ts';

const pidOf = (box: Box) => daemonPid(box.path('run/kagent/kagent.pid'));

test('the first run installs, starts, waits for Ready, and says how long each part took and what is next', async () => {
  const box = makeBox();
  const ran = await box.install(makeCheckout(box), ['server', '--node-name', 'one'], { KAGENT_TOKEN: "it's secret" });
  expect(ran).toMatchObject({ code: 0 });
  for (const part of ['Build', 'Files', 'Service']) {
    expect(ran.output).toMatch(new RegExp(`==> ${part}\n(?:(?!==>).*\n)*    done in \\d+\\.\\d s\n`));
  }
  expect(ran.output).toMatch(/waiting for kube-apiserver\n.*the node is Ready/);
  expect(ran.output).toContain('kagent is Ready');
  expect(ran.output).toMatch(/What next:\n  kagent kubectl get nodes/);
  expect(pidOf(box)).toBeDefined();
  expect(box.read('var/lib/kagent/logs/kagent.log')).toContain(
    "serving as server --node-name one --daemonize, token it's secret",
  );
  expect(statSync(box.path('etc/kagent/kagent.env')).mode & 0o777).toBe(0o600);
  expect(statSync(box.path('etc/kagent')).mode & 0o777).toBe(0o755);
  expect(readlinkSync(box.path('usr/local/bin/crictl'))).toBe('kagent');
  expect(box.read('usr/local/bin/kagent-uninstall.sh')).toContain('kagent" uninstall "$@"');
  expect(box.read('usr/local/bin/kagent-killall.sh')).toContain('kagent" killall "$@"');
});

test('run again with nothing changed it writes nothing and restarts nothing, also without the flags of the first time', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  await box.install(script, ['server', '--node-name', 'one'], { KAGENT_TOKEN: 'a' });
  const pid = pidOf(box);
  const again = await box.install(script);
  expect(again).toMatchObject({ code: 0 });
  expect(again.output).toContain('kagent runs with exactly this already: not restarted');
  expect(again.output).not.toMatch(/wrote|npm ci/);
  expect(pidOf(box)).toBe(pid);
});

describe('it restarts when something changed:', () => {
  const changes: readonly [string, (box: Box, script: string) => Promise<unknown>, RegExp][] = [
    ['a flag', (box, script) => box.install(script, ['server', '--node-name', 'two']), /--node-name two/],
    ['a variable', (box, script) => box.install(script, [], { KAGENT_TOKEN: 'b' }), /--node-name one.*token b/],
    [
      'the executable',
      (box, script) => {
        writeExecutable(box.path('checkout/dist/kagent'), 'two');
        return box.install(script);
      },
      /--node-name one.*token a/,
    ],
    [
      'nothing, but asked to',
      (box, script) => box.install(script, [], { INSTALL_KAGENT_FORCE_RESTART: 'true' }),
      /token a/,
    ],
  ];
  test.each(changes)('%s', async (_, change, expected) => {
    const box = makeBox();
    const script = makeCheckout(box);
    await box.install(script, ['server', '--node-name', 'one'], { KAGENT_TOKEN: 'a' });
    const pid = pidOf(box);
    expect(await change(box, script)).toMatchObject({ code: 0 });
    expect(pidOf(box)).not.toBe(pid);
    expect(box.read('var/lib/kagent/logs/kagent.log').trimEnd().split('\n').at(-1)).toMatch(expected);
  });
});

test('a start that fails ends the installation with its sentence, and the next run starts it', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  const failed = await box.install(script, [], { KAGENT_STAND_IN_FAILS: 'port 6443 is taken by nginx (pid 7)' });
  expect(failed.code).toBe(1);
  expect(failed.output).toContain('port 6443 is taken by nginx (pid 7)');
  expect(failed.output).not.toContain('What next');
  const healed = await box.install(script, [], { KAGENT_STAND_IN_FAILS: '' });
  expect(healed).toMatchObject({ code: 0 });
  expect(pidOf(box)).toBeDefined();
});

test('INSTALL_KAGENT_EXEC understands quotes and comes before the arguments', async () => {
  const box = makeBox();
  const ran = await box.install(makeCheckout(box), ['--node-name', 'one'], {
    INSTALL_KAGENT_EXEC: `server --node-label "owner=it's me" --x '*'`,
    INSTALL_KAGENT_SKIP_START: 'true',
  });
  expect(ran).toMatchObject({ code: 0 });
  const words = String.raw`server --node-label 'owner=it'\''s me' --x '*' --node-name one`;
  expect(box.read('etc/kagent/kagent.start')).toContain(
    `# kagent-service: ${box.path('usr/local/bin/kagent')} ${words}\n`,
  );
  expect(ran.output).toContain('kagent is not started, as asked');
  expect(pidOf(box)).toBeUndefined();
});

test('--remove-build-tools is for the installer: what it had fetched for the build goes, and kagent is not told', async () => {
  const box = makeBox();
  const script = makeCheckout(box);
  const { output } = await box.run('/bin/sh', box.path('checkout/scripts/build/go.sh'), '--folder');
  mkdirSync(join(output.trim(), 'bin'), { recursive: true });
  const flags = ['server', '--remove-build-tools', '--node-name', 'one'];
  const ran = await box.install(script, flags, { INSTALL_KAGENT_SKIP_START: 'true' });
  expect(ran).toMatchObject({ code: 0, output: expect.stringContaining('no packages were installed for a build') });
  expect(existsSync(output.trim())).toBe(false);
  expect(box.read('etc/kagent/kagent.start')).toContain(
    `# kagent-service: ${box.path('usr/local/bin/kagent')} server --node-name one\n`,
  );
});

test('KAGENT_URL makes it an agent, with a service and an uninstall script of that name', async () => {
  const box = makeBox();
  const ran = await box.install(makeCheckout(box), [], {
    KAGENT_URL: 'https://10.0.0.1:9345',
    INSTALL_KAGENT_SKIP_START: 'true',
  });
  expect(ran).toMatchObject({ code: 0 });
  expect(box.read('etc/kagent/kagent-agent.start')).toContain(
    `# kagent-service: ${box.path('usr/local/bin/kagent')} agent\n`,
  );
  expect(existsSync(box.path('usr/local/bin/kagent-agent-uninstall.sh'))).toBe(true);
});

test("a command of the box's own is not covered by a link, unless forced", async () => {
  const box = makeBox();
  box.command('kubectl', 'exit 0\n');
  const script = makeCheckout(box);
  await box.install(script, [], { INSTALL_KAGENT_SKIP_START: 'true' });
  expect(existsSync(box.path('usr/local/bin/kubectl'))).toBe(false);
  await box.install(script, [], { INSTALL_KAGENT_SKIP_START: 'true', INSTALL_KAGENT_SYMLINK: 'force' });
  expect(readlinkSync(box.path('usr/local/bin/kubectl'))).toBe('kagent');
});

test('on a box of its own it wants root', async () => {
  const box = makeBox();
  box.command('id', 'echo 1000\n');
  const ran = await box.install(makeCheckout(box), [], {
    INSTALL_KAGENT_ROOT: '',
    INSTALL_KAGENT_BIN_DIR: box.path('bin'),
  });
  expect(ran).toMatchObject({ code: 1, output: expect.stringMatching(/^install.sh: this needs root/) });
  expect(existsSync(box.path('bin'))).toBe(false);
});

test('a bin dir that is read-only keeps its executable, and nothing is written beside it', async () => {
  const box = makeBox();
  writeExecutable(box.path('usr/local/bin/kagent'), 'of the image');
  const ran = await box.install(makeCheckout(box), ['server'], { INSTALL_KAGENT_BIN_DIR_READ_ONLY: 'true' });
  expect(ran).toMatchObject({ code: 0, output: expect.stringContaining('kagent is Ready') });
  expect(readdirSync(box.path('usr/local/bin'))).toEqual(['kagent']);
});

test('K3S_URL and K3S_TOKEN are taken with a notice, and what is not read is said', async () => {
  const box = makeBox();
  const k3s = { K3S_URL: 'https://10.0.0.1:6443', K3S_TOKEN: 'secret', INSTALL_K3S_EXEC: 'agent', K3S_NODE_NAME: 'a' };
  const ran = await box.install(makeCheckout(box), [], { ...k3s, INSTALL_KAGENT_SKIP_START: 'true' });
  expect(ran.output).toContain('K3S_URL is used as KAGENT_URL\nK3S_TOKEN is used as KAGENT_TOKEN\n');
  expect(ran.output).toContain('INSTALL_K3S_EXEC is not read: its name here is INSTALL_KAGENT_EXEC');
  expect(ran.output).toContain('K3S_NODE_NAME is not read: its name here is KAGENT_NODE_NAME');
  const kept = box.read('etc/kagent/kagent-agent.env').split('\n');
  expect(kept).toEqual(expect.arrayContaining(['KAGENT_URL=https://10.0.0.1:6443', 'KAGENT_TOKEN=secret']));
});
