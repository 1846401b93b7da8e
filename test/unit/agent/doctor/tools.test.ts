import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTools } from '../../../../src/agent/doctor/doctor.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const tools = createTools();

test('a program answers with its exit code and what it has printed; one that is not there with 127', async () => {
  expect(await tools.run('sh', '-c', 'echo hello; exit 3')).toEqual({ code: 3, stdout: 'hello\n' });
  expect(await tools.run('no-such-program')).toEqual({ code: 127, stdout: '' });
});

test('the room on a disk is that of the nearest folder that is there', () => {
  const dir = temporaryDir();
  expect(tools.space(join(dir, 'not', 'yet')).sizeBytes).toBe(tools.space(dir).sizeBytes);
  expect(tools.space(dir).freeBytes).toBeGreaterThan(0);
});

test('measuring a disk leaves nothing on it', () => {
  const dir = temporaryDir();
  const times = tools.fsyncTimes(join(dir, 'data'));
  expect(times.length).toBeGreaterThan(0);
  expect(times.every((ms) => ms >= 0)).toBe(true);
  expect(readdirSync(dir)).toEqual([]);
});
