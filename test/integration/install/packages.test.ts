import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { link, makeBox, type Box } from './box.ts';

const installer = readFileSync(join(import.meta.dirname, '../../../scripts/install.sh'), 'utf8');

/** Runs a line of shell with the installer's functions, on a box that has next to nothing but this package manager. */
async function onBareBox(manager: string | undefined, line: string) {
  const box = makeBox();
  for (const name of ['awk', 'cut', 'cat', 'chmod', 'sh']) {
    const path = ['/usr/bin', '/bin'].map((dir) => join(dir, name)).find((candidate) => existsSync(candidate));
    link(path ?? name, box.path('commands', name));
  }
  if (manager !== undefined) fakeManager(box, manager);
  const functions = installer.slice(0, installer.lastIndexOf('main "$@"'));
  const ran = await box.run('/bin/sh', '-c', `PATH='${box.path('commands')}'\n${functions}\n${line}`);
  return { ...ran, asked: existsSync(box.path('asked')) ? box.read('asked').trim() : '' };
}

/** Notes what it is asked, and makes each command that its packages would bring. */
function fakeManager(box: Box, manager: string): void {
  const commands = box.path('commands');
  box.command(
    manager,
    `echo "$*" >>'${box.path('asked')}'
for name in gcc npm; do echo '#!/bin/sh' >'${commands}'/$name; chmod 755 '${commands}'/$name; done
`,
  );
}

test.each([
  ['apt-get', 'update -qq\ninstall -y -qq --no-install-recommends gcc libc6-dev nodejs npm'],
  ['dnf', 'install -y -q gcc glibc-devel glibc-static nodejs npm'],
  ['apk', 'add -q gcc musl-dev linux-headers nodejs npm'],
  ['zypper', '--non-interactive --quiet install gcc glibc-devel glibc-devel-static nodejs npm'],
  ['pacman', '-Sy --noconfirm --needed --quiet gcc nodejs npm'],
])('what is missing is installed by %s under its own names, once', async (manager, expected) => {
  const ran = await onBareBox(manager, 'need gcc npm; need gcc');
  expect(ran).toMatchObject({ code: 0, asked: expected });
});

test('without a package manager that is known, everything missing is named in one sentence', async () => {
  const ran = await onBareBox(undefined, 'need gcc npm');
  expect(ran.code).toBe(1);
  expect(ran.output).toMatch(
    /^install.sh: missing on this box: gcc npm\. No package manager .* install them, then run this again\.\n$/,
  );
});

test('a distribution whose Go is too old is said with the version it has and what helps', async () => {
  const ran = await onBareBox('apt-get', 'go() { echo go1.19.8; }; need go');
  expect(ran.code).toBe(1);
  expect(ran.output).toMatch(/building needs Go 1\.26 or newer, here is: go1\.19\.8\..*\/usr\/local\/go/);
});

test.each([
  ['go1.26', true],
  ['go1.26.3', true],
  ['go1.27rc1', true],
  ['go2.0', true],
  ['go1.25.9', false],
  ['go1.9', false],
  ['', false],
])('Go %s is new enough: %s', async (version, expected) => {
  const ran = await onBareBox(undefined, `if version_reaches '${version}'; then echo true; else echo false; fi`);
  expect(ran.output).toBe(`${expected}\n`);
});
