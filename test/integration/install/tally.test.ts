import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const tally = join(import.meta.dirname, '../../../scripts/tally.ts');

interface Files {
  readonly checks: string;
  readonly times?: string;
  readonly fileTimes?: string;
  readonly reports: readonly object[];
}
interface Ran {
  readonly code: unknown;
  readonly lines: readonly string[];
}

async function run({ checks, times = '', fileTimes = '', reports }: Files): Promise<Ran> {
  const dir = temporaryDir();
  writeFileSync(join(dir, 'checks'), checks);
  writeFileSync(join(dir, 'times'), times);
  writeFileSync(join(dir, '0.files'), fileTimes);
  for (const [index, report] of reports.entries()) writeFileSync(join(dir, `${index}.json`), JSON.stringify(report));
  return new Promise((resolve) => {
    execFile(process.execPath, [tally, dir], (error, stdout) =>
      resolve({ code: error === null ? 0 : error.code, lines: stdout.trimEnd().split('\n') }),
    );
  });
}

/** Without what tells where the time went. */
const verdict = ({ lines }: Ran) => lines.slice(lines.findIndex((line) => /^failed: |passed, /.test(line)));

function report(...statuses: readonly string[]) {
  const assertionResults = statuses.map((status, index) => ({
    status,
    fullName: `test ${index}`,
    title: `test ${index}`,
    duration: 1000 * (index + 1),
  }));
  const isGood = statuses.every((status) => status === 'passed');
  return {
    success: isGood,
    startTime: 4000,
    numPassedTests: statuses.filter((status) => status === 'passed').length,
    testResults: [
      {
        name: '/x/test/unit/a.test.ts',
        status: isGood ? 'passed' : 'failed',
        message: '',
        endTime: 17_000,
        assertionResults,
      },
    ],
  };
}

test('checks and the tests of all suites are added up in the last line', async () => {
  const ran = await run({
    checks: 'passed types\npassed lint\n',
    reports: [report('passed', 'passed'), report('passed')],
  });
  expect([ran.code, verdict(ran)]).toEqual([0, ['5 passed, 0 failed']]);
});

test('where the time went is told: by check, by suite, and of the longest files the longest test', async () => {
  const { lines } = await run({
    checks: 'passed types\npassed lint\n',
    times: '8 types\n0 lint\n',
    reports: [report('passed', 'passed')],
    fileTimes: '2.4 /x/test/unit/b/b.test.ts\n12.1 /x/test/unit/a.test.ts\n',
  });
  expect(lines.slice(0, -1)).toEqual([
    'where the time went:',
    '     8 s  types',
    '    13 s  0: 2 tests',
    'the longest files:',
    '    12 s  unit/a, of which 2 s: test 1',
    '     2 s  unit/b/b',
  ]);
});

test('a failed check and a failed or skipped test count, and are named', async () => {
  const ran = await run({ checks: 'failed lint\n', reports: [report('passed', 'failed', 'skipped')] });
  expect(ran.code).toBe(1);
  expect(verdict(ran)).toEqual([
    'failed: lint',
    'failed: /x/test/unit/a.test.ts: test 1 (failed)',
    'failed: /x/test/unit/a.test.ts: test 2 (skipped)',
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
