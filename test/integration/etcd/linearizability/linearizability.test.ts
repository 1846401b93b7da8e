/** Killed without warning, again and again, under concurrent clients: everything they saw could have happened in one order. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { DiskFaults } from '../../../helpers/disk-faults/disk-faults.ts';
import { buildGoProgram } from '../../../helpers/go.ts';
import { buildServe } from '../../../helpers/serve.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const module = 'test/integration/etcd/linearizability';
/** A long run: `KAGENT_KILLS=1000`. */
const kills = Number(process.env['KAGENT_KILLS'] ?? 40);
/** Of the 55 faults in faults.go so many, others each time; a long run, which docs/disk-faults.md has: `KAGENT_FAULT_ROUNDS=550`. */
const faultRounds = Number(process.env['KAGENT_FAULT_ROUNDS'] ?? 25);

let program: string;
let serve: readonly string[];

beforeAll(async () => {
  program = await buildGoProgram({ module });
  serve = await buildServe('linearizability');
}, 600_000);

test('the checker finds a lost write, a stale read and a revision that was given twice', async () => {
  const tests = await buildGoProgram({ module, isTest: true, name: 'linearizability.test' });
  const { stdout } = await promisify(execFile)(tests, ['-test.v']);
  expect(stdout.match(/^--- PASS/gm)).toHaveLength(5);
}, 600_000);

interface RunOptions {
  readonly rounds: number;
  /** Where the datastore has its folder. */
  readonly disk: string;
  readonly command: readonly string[];
  readonly args?: readonly string[];
}

/** `-kills` rounds under a datastore that is started by `command`. @returns what the program says */
async function runRounds({ rounds, disk, command, args = [] }: RunOptions): Promise<string> {
  const report = join(disk, 'violation.html');
  const { stdout } = await promisify(execFile)(program, ['-kills', String(rounds), '-report', report, ...args], {
    env: { ...process.env, TMPDIR: disk, KAGENT_TEST_SERVE: JSON.stringify(command) },
  });
  process.stdout.write(stdout); // how much was asked and seen
  return stdout;
}

test(`no acknowledged write is lost and nothing is out of order over ${kills} kills`, async () => {
  const said = await runRounds({ rounds: kills, disk: temporaryDir(), command: serve });
  expect(said).toContain(`${kills} kills`);
  expect(said).toContain('0 lost, 0 violations');
}, 3_600_000);

test(`a disk that fails in each way at each call takes nothing that was acknowledged, over ${faultRounds} rounds`, async () => {
  const disk = temporaryDir();
  const faults = DiskFaults.in(disk, temporaryDir());
  const env = Object.entries(faults.env).map(([name, value]) => `${name}=${value}`);
  const said = await runRounds({
    rounds: faultRounds,
    disk,
    command: ['env', ...env, ...serve],
    args: ['-faults', faults.control],
  });
  faults.close();
  const [rounds = 0, met = 0, ended = 0] = (/^\| all \|(.*)\|$/m.exec(said)?.[1] ?? '').split('|').map(Number);
  expect(said).toContain('0 lost, 0 violations');
  expect(rounds).toBe(faultRounds);
  expect(met).toBeGreaterThan(faultRounds / 3);
  expect(ended).toBeGreaterThan(0);
}, 3_600_000);
