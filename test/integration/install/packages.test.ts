import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { link, makeBox } from './box.ts';
import type { Box } from './box.ts';

const project = join(import.meta.dirname, '../../..');
const installer = readFileSync(join(project, 'scripts/install.sh'), 'utf8');

/** Runs a line of shell with the installer's functions, on a box that has next to nothing but this package manager. */
async function onBareBox(manager: string | undefined, line: string) {
  const box = makeBox();
  mkdirSync(box.path('checkout/scripts/build'), { recursive: true });
  for (const name of ['awk', 'cut', 'cat', 'chmod', 'sh']) {
    const path = ['/usr/bin', '/bin'].map((dir) => join(dir, name)).find((candidate) => existsSync(candidate));
    link(path ?? name, box.path('commands', name));
  }
  writeFileSync(box.path('checkout/scripts/build/node.sh'), '#!/bin/sh\ncommand -v npm\n', { mode: 0o755 });
  if (manager !== undefined) fakeManager(box, manager);
  const functions = installer.slice(0, installer.lastIndexOf('main "$@"'));
  const ran = await box.run(
    '/bin/sh',
    '-c',
    `PATH='${box.path('commands')}'\n${functions}\nCHECKOUT='${box.path('checkout')}'\n${line}`,
  );
  return { ...ran, asked: existsSync(box.path('asked')) ? box.read('asked').trim() : '' };
}

/** Notes what it is asked, and makes each command that its packages would bring. */
function fakeManager(box: Box, manager: string): void {
  const commands = box.path('commands');
  box.command(
    manager,
    `echo "$*" >>'${box.path('asked')}'
printf '#!/bin/sh\necho /usr/lib/libc.a\n' >'${commands}'/gcc
echo '#!/bin/sh' >'${commands}'/npm
chmod 755 '${commands}'/gcc '${commands}'/npm
`,
  );
}

test.each([
  [
    'apt-get',
    'update -qq\ninstall -y -qq --no-install-recommends -o APT::Keep-Downloaded-Packages=false gcc libc6-dev nodejs npm',
  ],
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
