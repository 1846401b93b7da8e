import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimFolders, claimFor, othersPods } from '../../../../src/host/remove/claim.ts';
import { openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('what is in a folder at the first start is noted, once and for all', () => {
  const dir = temporaryDir();
  const paths = pathsOf(join(dir, 'made', 'data'));
  const folders = ['missing', 'empty', 'used'].map((name) => join(dir, name));
  const [missing = '', empty = '', used = ''] = folders;
  mkdirSync(empty);
  mkdirSync(used);
  writeFileSync(join(used, 'file'), '');
  const noted = () => folders.map((folder) => claimFor(folder, openUndoLog(paths.undoLog))?.before);
  claimFolders(openUndoLog(paths.undoLog), paths, folders);
  expect(noted()).toEqual([undefined, [], ['file']]);
  rmSync(used, { recursive: true });
  mkdirSync(missing);
  claimFolders(openUndoLog(paths.undoLog), paths, folders);
  expect(noted()).toEqual([undefined, [], ['file']]);
  expect(openUndoLog(paths.undoLog).entries()[0]).toEqual({ kind: 'folder', path: join(dir, 'made') });
});

test('of a kubelet’s folder that was there before, the folders in it are noted too, but not those of a kagent that has run', () => {
  const dir = temporaryDir();
  const kubelet = join(dir, 'kubelet');
  const usual = pathsOf(join(dir, 'data'));
  const paths = { ...usual, agent: { ...usual.agent, kubelet } } as unknown as typeof usual;
  mkdirSync(join(kubelet, 'pods/theirs'), { recursive: true });
  writeFileSync(join(kubelet, 'cpu_manager_state'), '');
  claimFolders(openUndoLog(paths.undoLog), paths, [kubelet]);
  mkdirSync(join(kubelet, 'pods/ours'));
  mkdirSync(join(kubelet, 'plugins/ours'), { recursive: true });
  claimFolders(openUndoLog(paths.undoLog), paths, [kubelet]);
  const undoLog = openUndoLog(paths.undoLog);
  expect(claimFor(join(kubelet, 'pods'), undoLog)?.before).toEqual(['theirs']);
  expect(claimFor(join(kubelet, 'plugins'), undoLog)).toBeUndefined();
  expect(othersPods(paths, undoLog)).toEqual([join(kubelet, 'pods/theirs')]);
});
