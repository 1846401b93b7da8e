import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lastLinesIn, rotateLog } from '../../../../src/host/service/service-log.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('a full log is emptied under the writer, and what it held is in the file beside it', () => {
  const path = join(temporaryDir(), 'kagent.log');
  const fd = openSync(path, 'a');
  writeSync(fd, 'old\n'.repeat(10));
  rotateLog(path, 40);
  expect(existsSync(`${path}.1`)).toBe(false); // exactly full is not too full
  writeSync(fd, 'last\n');
  rotateLog(path, 40);
  writeSync(fd, 'new\n');
  closeSync(fd);
  expect(readFileSync(path, 'utf8')).toBe('new\n');
  expect(readFileSync(`${path}.1`, 'utf8')).toBe(`${'old\n'.repeat(10)}last\n`);
});

test('the last lines are those of this start alone', () => {
  const path = join(temporaryDir(), 'kagent.log');
  writeFileSync(path, 'before\nfirst\nsecond\nthird\n');
  expect(lastLinesIn(path, 7, 2)).toBe('second\nthird');
  expect(lastLinesIn(path, 7, 9)).toBe('first\nsecond\nthird');
  expect(lastLinesIn(join(path, 'not-there'), 0, 2)).toBe('');
});
