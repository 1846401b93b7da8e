import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootHook } from '../../../../src/host/service/boot.ts';
import { hostAt } from '../../../../src/host/service/service.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function box(files: Readonly<Record<string, string>>) {
  const dir = temporaryDir();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text, { mode: 0o755 });
  }
  return { dir, hook: bootHook(hostAt(dir)) };
}

const rcLocal = "#!/bin/sh -e\n# the owner's own\necho up\nexit 0\n";

test("rc.local gets one line before its exit, keeps the owner's, and is as before when the line goes", async () => {
  const { dir, hook } = box({ 'etc/rc.local': rcLocal });
  expect(await hook.add('kagent', '/etc/kagent/kagent.start')).toBe('/etc/rc.local starts it at boot');
  await hook.add('kagent', '/etc/kagent/kagent.start');
  const text = readFileSync(join(dir, 'etc/rc.local'), 'utf8');
  expect(text.match(/kagent\.start/g)).toHaveLength(1);
  expect(text.indexOf('kagent.start')).toBeLessThan(text.indexOf('exit 0'));
  expect(statSync(join(dir, 'etc/rc.local')).mode & 0o777).toBe(0o755);
  // A start that fails does not keep the rest of the boot from happening.
  expect(execFileSync('/bin/sh', ['-e', join(dir, 'etc/rc.local')], { encoding: 'utf8' })).toBe('up\n');
  await hook.remove('kagent');
  expect(readFileSync(join(dir, 'etc/rc.local'), 'utf8')).toBe(rcLocal);
});

test.each(['#!/bin/sh', '#!/bin/sh\n', '#!/bin/sh\n\n\n', '#!/bin/sh\nexit 0', 'a\nexit 0\n# end\n'])(
  'rc.local with the text %j gets its bytes back',
  async (text) => {
    const { dir, hook } = box({ 'etc/rc.local': text });
    await hook.add('kagent', '/etc/kagent/kagent.start');
    expect(readFileSync(join(dir, 'etc/rc.local'), 'utf8')).toMatch(/^.*kagent\.start.*$/m);
    await hook.remove('kagent');
    expect(readFileSync(join(dir, 'etc/rc.local'), 'utf8')).toBe(text);
  },
);

test('without rc.local it is cron, where there is a cron to run it', async () => {
  const { dir, hook } = box({ 'etc/cron.d/other': '', 'usr/sbin/cron': '' });
  expect(await hook.add('kagent', '/etc/kagent/kagent.start')).toBe('cron starts it at boot');
  expect(readFileSync(join(dir, 'etc/cron.d/kagent'), 'utf8')).toMatch(
    /^@reboot root \/bin\/sh \/etc\/kagent\/kagent.start /,
  );
  await hook.remove('kagent');
  expect(existsSync(join(dir, 'etc/cron.d/kagent'))).toBe(false);
});

test('where nothing runs at boot, that is said with the command to run', async () => {
  const { hook } = box({ 'etc/cron.d/other': '' });
  expect(await hook.add('kagent', '/etc/kagent/kagent.start')).toMatch(
    /nothing here starts it at boot.*run \/etc\/kagent\/kagent.start/,
  );
});
