import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { libraryFiles, programFiles, putOwnersCommandsBack } from '../../../../src/host/remove/program-files.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function binDir(...ours: readonly string[]) {
  const dir = join(temporaryDir(), 'bin');
  mkdirSync(dir);
  for (const name of ours) writeFileSync(join(dir, name), "#!/bin/sh\n# Written by kagent's installer.\n");
  writeFileSync(join(dir, 'kagent'), '');
  writeFileSync(join(dir, '.kagent.4711'), '');
  writeFileSync(join(dir, 'owners-tool'), '');
  symlinkSync('kagent', join(dir, 'kubectl'));
  symlinkSync('owners-tool', join(dir, 'ctr'));
  return { dir, executable: join(dir, 'kagent') };
}

test('all that the installer put beside the executable goes, and what an installation left that broke off', async () => {
  const { dir, executable } = binDir('kagent-killall.sh', 'kagent-uninstall.sh');
  for (const path of programFiles(executable)) await rm(path);
  expect(readdirSync(dir)).toEqual(['ctr', 'owners-tool']);
});

test('its man pages go, and nobody else’s', () => {
  const { dir, executable } = binDir('kagent-killall.sh', 'kagent-uninstall.sh');
  const pages = join(dir, '../share/man/man1');
  mkdirSync(pages, { recursive: true });
  for (const name of ['kagent.1', 'kagent-token.1', 'kagentx.1', 'other.1']) writeFileSync(join(pages, name), '');
  const gone = programFiles(executable).filter((path) => path.startsWith(pages));
  expect(gone.toSorted()).toEqual([join(pages, 'kagent-token.1'), join(pages, 'kagent.1')]);
});

test('the library for a box without it goes, and the link to it; one of the box’s own stays', () => {
  const root = temporaryDir();
  const dir = join(root, 'usr/local/lib');
  mkdirSync(dir, { recursive: true });
  for (const name of ['libatomic-kagent.so.1', 'libother.so.1']) writeFileSync(join(dir, name), '');
  symlinkSync('libatomic-kagent.so.1', join(dir, 'libatomic.so.1'));
  symlinkSync('libother.so.1', join(dir, 'libother.so'));
  const found = libraryFiles({ path: (path) => join(root, path) });
  expect(found.toSorted()).toEqual([join(dir, 'libatomic-kagent.so.1'), join(dir, 'libatomic.so.1')]);
});

test('an executable without the installer’s scripts was put there by somebody else', () => {
  const { executable } = binDir();
  expect(programFiles(executable)).toEqual([]);
  expect(programFiles('/not/there/kagent')).toEqual([]);
});

test("an owner's command that made room for a link comes back, unless there is another by now", () => {
  const { dir, executable } = binDir();
  for (const name of ['crictl', 'owners-tool']) writeFileSync(join(dir, `${name}.before-kagent`), '');
  putOwnersCommandsBack(executable);
  expect(readdirSync(dir)).toContain('crictl');
  expect(readdirSync(dir)).toContain('owners-tool.before-kagent');
});
