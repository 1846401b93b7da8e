/**
 * Both commands of the README, on a Debian with nothing but its package manager. KAGENT_BARE names the releases, for
 * example `KAGENT_BARE=bookworm,trixie`; without it the older one is tried. `npm run test:machines -- test/machines/bare`: it takes
 * minutes of installing packages, so it belongs to a release.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBareBox } from '../../helpers/bare-boxes.ts';
import type { BareBox } from '../../helpers/bare-boxes.ts';

const suites = (process.env['KAGENT_BARE'] ?? 'bookworm').split(',');
const longMs = 3_600_000;
/** What an executable that was built there needs afterwards. */
const stays = ['ca-certificates', 'libatomic1'];

describe.each(suites)('a bare Debian, %s', (suite) => {
  let box: BareBox;
  let before: readonly string[];

  beforeAll(async () => {
    box = await createBareBox(`bare-${suite}`, suite);
    before = await box.packages();
    // What somebody has tried by hand, and left.
    await box.sh(`mkdir -p /usr/local/go/bin
for name in bin/node bin/npm go/bin/go; do printf '#!/bin/sh\\nexit 127\\n' >/usr/local/$name; chmod 755 /usr/local/$name; done`);
  }, longMs);
  afterAll(() => box?.wipe());

  test(
    'with a short PATH and settings for other work: one command builds it, and ends with a Ready node',
    async () => {
      const others = { GOFLAGS: '-mod=vendor', GOROOT: '/nowhere', GOTOOLCHAIN: 'local', NODE_ENV: 'production' };
      const line = './scripts/install.sh --remove-build-tools server --node-name one';
      const ran = await box.typed(line, { PATH: '/usr/bin:/bin', ...others });
      expect(ran.stdout).toMatch(/installed \d+ packages for the build[^]*\nkagent is Ready\n[^]*What next:/);
      expect(ran.code).toBe(0);
      expect(await box.kubectl('wait', '--for=condition=Ready', 'node/one')).toContain('condition met');
    },
    longMs,
  );

  test('the packages it brought for that are gone, and those that stay are needed', async () => {
    const brought = (await box.packages()).filter((name) => !before.includes(name));
    expect(brought).toEqual(expect.arrayContaining(stays));
    const needed = await box.sh(
      `apt-get -s autoremove | grep ^Remv || true; apt-mark showmanual | grep -xE '${stays.join('|')}' | sort`,
    );
    expect(needed.trim().split('\n')).toEqual(stays);
  });

  test('run again it builds nothing, installs nothing and restarts nothing', async () => {
    const packages = await box.packages();
    const ran = await box.typed('./scripts/install.sh server --node-name one', { PATH: '/usr/bin:/bin' });
    expect(ran.stdout).toMatch(/built from exactly this already[^]*not restarted/);
    expect(await box.packages()).toEqual(packages);
  });

  test(
    'the command that tests gets what all tests need, and runs the short ones',
    async () => {
      const ran = await box.typed('./scripts/test.sh tools checks unit', { PATH: '/usr/bin:/bin', HOME: '/root' });
      expect(ran.stdout).toMatch(/\n\d{3,} passed, 0 failed\n$/);
    },
    longMs,
  );
});
