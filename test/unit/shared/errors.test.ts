import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KagentError, messageOf, nameFile, remedyOf, sentenceOf, splitRemedy } from '../../../src/shared/errors.ts';
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

test('what a disk says is a sentence with the file’s name, where Node has no word for it too', () => {
  const said = (facts: { readonly code: string; readonly errno?: number }, path?: string): string => {
    const error = Object.assign(new Error(`${facts.code}: i/o error, fsync`), { syscall: 'fsync', ...facts });
    return messageOf(path === undefined ? error : nameFile(error, path));
  };
  expect(said({ code: 'EIO' }, '/var/x')).toBe(
    '/var/x: its disk does not answer as it should (EIO); look at the disk (df, mount, dmesg)',
  );
  expect(said({ code: 'EIO' })).toMatch(/^fsync: its disk does not answer/);
  expect(said({ code: 'Unknown system error -122', errno: -122 }, '/var/x')).toContain(
    "/var/x: its owner's share of the disk is used up (EDQUOT)",
  );
});

class TiredError extends KagentError {
  readonly code = 'TIRED';
  readonly fault = 'operator';
}

test('an error’s message is what happened, then the remedy, and each is there by itself', () => {
  const error = new TiredError('it is late; the box yawns', { remedy: 'sleep', cause: 'night' });
  expect(error).toMatchObject({
    name: 'TiredError',
    message: 'it is late; the box yawns; sleep',
    what: 'it is late; the box yawns',
    remedy: 'sleep',
    cause: 'night',
    exitCode: 1,
    httpStatus: undefined,
  });
  expect(remedyOf(error)).toBe('sleep');
  const short = new TiredError('it is late');
  expect([short.message, short.what, short.remedy]).toEqual(['it is late', 'it is late', undefined]);
  expect('cause' in short).toBe(false);
});

test('a message that travelled with its remedy is taken apart again, and with another one it stays whole', () => {
  expect(splitRemedy('late; very; sleep', 'sleep')).toEqual({ what: 'late; very', remedy: 'sleep' });
  expect(splitRemedy('late; very', undefined)).toEqual({ what: 'late; very' });
  expect(splitRemedy('late; very', 'sleep')).toEqual({ what: 'late; very' });
});

test('a disk’s error has a remedy, and an error of another kind has none', () => {
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write', path: '/var/x' });
  expect(messageOf(full)).toBe(`/var/x: its disk is full (ENOSPC); ${remedyOf(full)}`);
  expect(remedyOf(new Error('x; y'))).toBeUndefined();
});
