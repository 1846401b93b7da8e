import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LabExistsError } from '../../../src/lab/errors.ts';
import { labRecords } from '../../../src/lab/records.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const lab = (name: string) => ({ name, dir: `/labs/${name}`, servers: 1, agents: 1, serverFlags: ['--debug'] });

test('a lab is found by its name until it is forgotten, and the last one takes the folder along', () => {
  const dir = join(temporaryDir(), 'labs');
  const records = labRecords(dir);
  expect(records.list()).toEqual([]);
  records.claim(lab('b'));
  records.claim(lab('a'));
  expect(records.find('a')).toEqual(lab('a'));
  expect(records.list()).toEqual([lab('a'), lab('b')]);
  records.forget('a');
  expect(records.list()).toEqual([lab('b')]);
  records.forget('b');
  records.forget('b');
  expect(records.find('b')).toBeUndefined();
  expect(existsSync(dir)).toBe(false);
});

test('a name is taken once', () => {
  const records = labRecords(join(temporaryDir(), 'labs'));
  records.claim(lab('a'));
  expect(() => records.claim(lab('a'))).toThrow(LabExistsError);
});
