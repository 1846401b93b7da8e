import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { everyServiceManager, hostAt, installedServices } from '../../../src/host/service/service.ts';
import { makeBox, makeCheckout, writeExecutable } from './box.ts';
import type { Box } from './box.ts';

/**
 * A systemctl that keeps one unit's state in files: what was asked, whether it runs, how it ends. A start is a job for the
 * first looks at it, as a start takes a while.
 */
function fakeSystemd(box: Box, looks = 2): void {
  mkdirSync(box.path('systemd'));
  mkdirSync(box.path('etc/systemd/system'), { recursive: true });
  box.command(
    'systemctl',
    `cd '${box.path('systemd')}'
echo "$*" >>asked
case "$*" in
*is-active*) [ -e active ] ;;
*restart*) echo ${looks} >job; touch active ;;
*show*)
  job=$(cat job); [ "$job" = 0 ] || echo $((job - 1)) >job
  if [ "$job" = 0 ]; then
    if [ -e fails ]; then printf 'Job=\\nActiveState=activating\\nStatusText=\\nResult=exit-code\\n'
    else printf 'Job=\\nActiveState=active\\nStatusText=the node is Ready\\nResult=success\\n'; fi
  else printf 'Job=17\\nActiveState=activating\\nStatusText=waiting for kube-apiserver\\nResult=success\\n'; fi ;;
esac
`,
  );
  box.command('journalctl', 'echo "kagent: port 6443 is taken by nginx (pid 7)"\n');
}

const systemd = { INSTALL_KAGENT_SERVICE_MANAGER: 'systemd' };
const askedOf = (box: Box) => box.read('systemd/asked').trim().split('\n');

test('under systemd it writes unit and environment, enables, starts, and shows what systemd knows meanwhile', async () => {
  const box = makeBox();
  fakeSystemd(box);
  const script = makeCheckout(box);
  const ran = await box.install(script, ['server'], { ...systemd, KAGENT_TOKEN: 'a' });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.output.match(/waiting for kube-apiserver/g)).toHaveLength(1);
  expect(box.read('etc/systemd/system/kagent.service')).toContain(
    `ExecStart=${box.path('usr/local/bin/kagent')} server\n`,
  );
  expect(statSync(box.path('etc/systemd/system/kagent.service')).mode & 0o777).toBe(0o644);
  expect(statSync(box.path('etc/systemd/system/kagent.service.env')).mode & 0o777).toBe(0o600);
  expect(askedOf(box).slice(0, 3)).toEqual([
    'daemon-reload',
    '--quiet enable kagent.service',
    '--no-block restart kagent.service',
  ]);

  const before = askedOf(box).length;
  const again = await box.install(script, [], systemd);
  expect(again.output).toContain('not restarted');
  expect(askedOf(box).slice(before)).toEqual(['--quiet enable kagent.service', '--quiet is-active kagent.service']);

  writeExecutable(box.path('checkout/dist/kagent'), 'two');
  await box.install(script, [], systemd);
  expect(askedOf(box).filter((line) => line.includes('restart'))).toHaveLength(2);
});

test('a unit that ends is shown with its last lines and where to read more', async () => {
  const box = makeBox();
  fakeSystemd(box);
  writeFileSync(box.path('systemd/fails'), '');
  const ran = await box.install(makeCheckout(box), ['server'], systemd);
  expect(ran.code).toBe(1);
  expect(ran.output).toMatch(/service kagent ended \(exit-code\); its last lines:\n {2}kagent: port 6443 is taken/);
  expect(ran.output).toContain('More: journalctl --unit kagent.service');
});

test('how long a slow box may take is a setting of the installer, which says what it waited for', async () => {
  const box = makeBox();
  fakeSystemd(box, 10); // about two seconds
  const script = makeCheckout(box);
  const install = (seconds: string) => box.install(script, ['server'], { ...systemd, INSTALL_KAGENT_TIMEOUT: seconds });
  const wrong = await install('5m');
  expect(wrong).toMatchObject({ code: 1, output: expect.stringMatching(/INSTALL_KAGENT_TIMEOUT is 5m.*such as 600/) });
  expect(existsSync(box.path('usr/local/bin/kagent'))).toBe(false);
  const short = await install('1');
  expect(short).toMatchObject({ code: 1, output: expect.stringContaining('kagent is not Ready after 1 s') });
  expect(await install('60')).toMatchObject({ code: 0, output: expect.stringContaining('kagent is Ready') });
});

test('systemd itself finds nothing wrong with the unit', async () => {
  const box = makeBox();
  fakeSystemd(box);
  await box.install(makeCheckout(box), ['server', '--node-label', 'a=50% $x'], systemd);
  const unit = box.path('etc/systemd/system/kagent.service');
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  expect({ error: verified.error, said: verified.stderr }).toEqual({ error: undefined, said: '' });
});

test('under OpenRC it writes an executable script, adds it to the default runlevel and waits for Ready', async () => {
  const box = makeBox();
  mkdirSync(box.path('openrc'));
  box.command('rc-update', `echo "rc-update $*" >>'${box.path('openrc/asked')}'\n`);
  box.command('rc-service', `echo "rc-service $*" >>'${box.path('openrc/asked')}'\n`);
  const ran = await box.install(makeCheckout(box), ['server'], { INSTALL_KAGENT_SERVICE_MANAGER: 'openrc' });
  expect(ran).toMatchObject({ code: 0 });
  expect(box.read('openrc/asked')).toBe('rc-update add kagent default\nrc-service kagent restart\n');
  expect(statSync(box.path('etc/init.d/kagent')).mode & 0o777).toBe(0o755);
  expect(existsSync(box.path('etc/kagent/kagent.env'))).toBe(true);
  const lint = spawnSync(
    'shellcheck',
    ['--shell=sh', '--exclude=SC1090,SC1091,SC2034,SC3045', box.path('etc/init.d/kagent')],
    {
      encoding: 'utf8',
    },
  );
  expect(lint.stdout).toBe('');
});

test('the installer, the release, the build, the test command and the lab are clean shell scripts', () => {
  const ofBuild = ['brought', 'go', 'node'].map((name) => `scripts/build/${name}.sh`);
  const scripts = [
    'scripts/install.sh',
    'scripts/release.sh',
    'scripts/test.sh',
    '.ci/run',
    'src/lab/lab.sh',
    ...ofBuild,
  ];
  const lint = spawnSync('shellcheck', scripts, { encoding: 'utf8', cwd: new URL('../../..', import.meta.url) });
  expect({ error: lint.error, said: lint.stdout }).toEqual({ error: undefined, said: '' });
});

test('INSTALL_KAGENT_SYSTEMD_DIR says where the unit goes; an uninstallation finds it there', async () => {
  const box = makeBox();
  fakeSystemd(box);
  const script = makeCheckout(box);
  const unitDir = { ...systemd, INSTALL_KAGENT_SYSTEMD_DIR: '/usr/local/lib/systemd/system' };
  expect(await box.install(script, ['server'], unitDir)).toMatchObject({ code: 0 });
  expect(box.read('usr/local/lib/systemd/system/kagent.service')).toContain('Type=notify');
  expect(existsSync(box.path('etc/systemd/system/kagent.service'))).toBe(false);
  const host = hostAt(box.root);
  const found = installedServices(everyServiceManager({ host }));
  expect(found.map(({ name, manager }) => [name, manager.files(name).definition])).toEqual([
    ['kagent', box.path('usr/local/lib/systemd/system/kagent.service')],
  ]);
});

test('a unit that does not wait for Ready is refused with what to do instead', async () => {
  const box = makeBox();
  const ran = await box.install(makeCheckout(box), ['agent'], { ...systemd, INSTALL_KAGENT_TYPE: 'exec' });
  expect(ran).toMatchObject({ code: 1, output: expect.stringContaining('systemctl --no-block start kagent-agent') });
});
