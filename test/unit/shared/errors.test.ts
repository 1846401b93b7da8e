import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sentenceOf } from '../../../src/shared/errors.ts';
import { readFileIfExists, writeFileAtomicSync } from '../../../src/shared/files/files.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('what the system says of a file is a sentence with the file’s name, and what to do', () => {
  const dir = temporaryDir();
  const [folder, link, file] = ['folder', 'link', 'file'].map((name) => join(dir, name)) as [string, string, string];
  mkdirSync(folder);
  symlinkSync(link, link);
  writeFileSync(file, '');
  const sentence = (work: () => unknown) => sentenceOf(thrownBy(work));
  expect(sentence(() => readFileIfExists(folder))).toBe(
    `${folder}: a folder is where a file belongs (EISDIR); see what is there ('ls -ld ${folder}'), put it right and start again`,
  );
  expect(sentence(() => writeFileAtomicSync(folder, 'x', 0o600))).toContain(
    `${folder}: a folder is where a file belongs`,
  );
  expect(sentence(() => readFileSync(link))).toContain(`${link}: its links lead in a circle (ELOOP)`);
  expect(sentence(() => mkdirSync(join(file, 'x')))).toContain(
    `${join(file, 'x')}: a part of the path is not a folder`,
  );
});

test('a mistake in kagent is none, and keeps its stack', () => {
  expect(sentenceOf(new TypeError('x is undefined'))).toBeUndefined();
  expect(
    sentenceOf(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' })),
  ).toBe(undefined);
});
