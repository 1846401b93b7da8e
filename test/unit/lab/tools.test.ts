import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LabNotRootError } from '../../../src/lab/errors.ts';
import { requireTools, searchPath, toolsFor } from '../../../src/lab/tools.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

test('only root makes labs', () => {
  expect(() => requireTools([], { uid: 1000, path: '', osRelease: '' })).toThrow(LabNotRootError);
});

test('all that is missing is named, with one command that installs it', () => {
  const dir = temporaryDir();
  for (const tool of ['bash', 'unshare']) writeFileSync(join(dir, tool), '', { mode: 0o755 });
  const box = { uid: 0, path: `/nowhere:${dir}`, osRelease: 'ID=debian\n' };
  expect(() => requireTools(['bash', 'unshare'], box)).not.toThrow();
  expect(() => requireTools(['bash', 'ip', 'tc', 'nsenter', 'nft'], box)).toThrow(
    /needs ip, tc, nsenter, nft, .*: apt-get install iproute2 util-linux nftables$/,
  );
});

test('losing and slowing down packets need a tool more', () => {
  expect(toolsFor('up')).not.toContain('nft');
  expect(toolsFor('loss')).toContain('nft');
  expect(toolsFor('rate')).toContain('tc');
});

test("root's folders are searched, also from a bare environment", () => {
  expect(searchPath('/a')).toBe('/a:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  expect(searchPath('')).toMatch(/^\/usr\/local\/sbin:/);
});
