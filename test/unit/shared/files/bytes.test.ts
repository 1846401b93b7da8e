import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readAt, sha256OfFile, writeAt } from '../../../../src/shared/files/files.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('bytes are written and read at their place, and fewer only where the file ends', async () => {
  const file = await open(join(temporaryDir(), 'file'), 'w+');
  await writeAt(file, Buffer.from('abc'), 2);
  expect((await readAt(file, 3, 2)).toString()).toBe('bc');
  expect((await readAt(file, 4, 9)).toString()).toBe('c');
  expect(await readAt(file, 9, 9)).toHaveLength(0);
  await file.close();
});

test('the hash of a file is what sha256sum prints', async () => {
  const path = join(temporaryDir(), 'file');
  writeFileSync(path, Buffer.alloc(3_000_000, 'x'));
  expect(execFileSync('sha256sum', [path], { encoding: 'utf8' })).toContain(await sha256OfFile(path));
});
