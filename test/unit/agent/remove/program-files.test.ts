import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programFiles, putOwnersCommandsBack } from '../../../../src/agent/remove/program-files.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function binDir(...ours: readonly string[]) {
  const dir = temporaryDir();
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
