/** Killed without warning, again and again, under concurrent clients: everything they saw could have happened in one order. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { buildGoProgram } from '../../../helpers/go.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const module = 'test/integration/etcd/linearizability';
const serve = [process.execPath, resolve(import.meta.dirname, '../../../helpers/datastore-serve.ts')];
/** A long run: `KAGENT_KILLS=1000`. */
const kills = Number(process.env['KAGENT_KILLS'] ?? 200);

let program: string;

beforeAll(async () => {
  program = await buildGoProgram({ module });
}, 600_000);

test('the checker finds a lost write, a stale read and a revision that was given twice', async () => {
  const tests = await buildGoProgram({ module, isTest: true, name: 'linearizability.test' });
  const { stdout } = await promisify(execFile)(tests, ['-test.v']);
  expect(stdout.match(/^--- PASS/gm)).toHaveLength(5);
}, 600_000);

test(`no acknowledged write is lost and nothing is out of order over ${kills} kills`, async () => {
  const report = join(temporaryDir(), 'violation.html');
  const { stdout } = await promisify(execFile)(program, ['-kills', String(kills), '-report', report], {
    env: { ...process.env, KAGENT_TEST_SERVE: JSON.stringify(serve) },
  });
  process.stdout.write(stdout); // how much was asked and seen
  expect(stdout).toContain(`${kills} kills`);
  expect(stdout).toContain('0 lost, 0 violations');
}, 3_600_000);
