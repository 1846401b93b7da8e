import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimedFolders, claimFolders } from '../../../../src/agent/remove/claim.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('folders that are missing or empty at the first start are claimed, once and for all', () => {
  const dir = temporaryDir();
  const paths = pathsOf(join(dir, 'data'));
  const folders = ['missing', 'empty', 'used'].map((name) => join(dir, name));
  const [missing = '', empty = '', used = ''] = folders;
  mkdirSync(empty);
  mkdirSync(used);
  writeFileSync(join(used, 'file'), '');
  expect(claimedFolders(paths)).toEqual([]);
  claimFolders(paths, folders);
  expect(claimedFolders(paths)).toEqual([missing, empty]);
  rmSync(used, { recursive: true });
  claimFolders(paths, folders);
  expect(claimedFolders(paths)).toEqual([missing, empty]);
});
