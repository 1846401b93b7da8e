import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const tally = join(import.meta.dirname, '../../../scripts/tally.ts');

interface Files {
  readonly checks: string;
  readonly reports: readonly object[];
}

function run({ checks, reports }: Files): Promise<{ readonly code: unknown; readonly lines: readonly string[] }> {
  const dir = temporaryDir();
  writeFileSync(join(dir, 'checks'), checks);
  for (const [index, report] of reports.entries()) writeFileSync(join(dir, `${index}.json`), JSON.stringify(report));
  return new Promise((resolve) => {
    execFile(process.execPath, [tally, dir], (error, stdout) =>
      resolve({ code: error === null ? 0 : error.code, lines: stdout.trimEnd().split('\n') }),
    );
  });
}

function report(...statuses: readonly string[]) {
  const assertionResults = statuses.map((status, index) => ({ status, fullName: `test ${index}` }));
  const isGood = statuses.every((status) => status === 'passed');
  return {
    success: isGood,
    numPassedTests: statuses.filter((status) => status === 'passed').length,
    testResults: [{ name: 'a.test.ts', status: isGood ? 'passed' : 'failed', message: '', assertionResults }],
  };
}

test('checks and the tests of all suites are added up in the last line', async () => {
  const ran = await run({
    checks: 'passed types\npassed lint\n',
    reports: [report('passed', 'passed'), report('passed')],
  });
  expect(ran).toEqual({ code: 0, lines: ['5 passed, 0 failed'] });
});

test('a failed check and a failed or skipped test count, and are named', async () => {
  const ran = await run({ checks: 'failed lint\n', reports: [report('passed', 'failed', 'skipped')] });
  expect(ran.code).toBe(1);
  expect(ran.lines).toEqual([
    'failed: lint',
    'failed: a.test.ts: test 1 (failed)',
    'failed: a.test.ts: test 2 (skipped)',
    '1 passed, 3 failed',
  ]);
});

test('a file that could not be loaded, an empty suite and an error outside of tests are failures', async () => {
  const unloadable = {
    success: false,
    numPassedTests: 1,
    testResults: [{ name: 'b.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }],
  };
  const empty = { success: false, numPassedTests: 0, testResults: [] };
  const ran = await run({ checks: '', reports: [unloadable, empty, { ...report('passed'), success: false }] });
  expect(ran.code).toBe(1);
  expect(ran.lines.at(-1)).toBe('2 passed, 3 failed');
});

test('nothing run is no success', async () => {
  expect(await run({ checks: 'passed types\n', reports: [] })).toMatchObject({ code: 1 });
});
