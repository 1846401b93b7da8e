/**
 * Adds up what test.sh ran: `node scripts/tally.ts FOLDER`, where `checks` has a line a check and each `.json` is a
 * report of vitest. The last line is `N passed, N failed`; the exit code is 0 only if something ran and nothing failed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly testResults: readonly TestFile[];
}
interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
}

const [dir = '.'] = process.argv.slice(2);
const checks = existsSync(join(dir, 'checks')) ? readFileSync(join(dir, 'checks'), 'utf8').trim().split('\n') : [];
const reports = readdirSync(dir)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as Report);

const failures = [
  ...checks.filter((line) => line.startsWith('failed ')).map((line) => line.slice('failed '.length)),
  ...reports.flatMap(failuresIn),
];
let passed = checks.filter((line) => line.startsWith('passed ')).length;
for (const report of reports) passed += report.numPassedTests;

function failuresIn(report: Report): readonly string[] {
  const named = report.testResults.flatMap(failuresOf);
  if (named.length > 0) return named;
  if (report.numPassedTests === 0) return ['a suite without a single test'];
  return report.success ? [] : ['an error outside of any test'];
}

/** A skipped test has shown nothing, and a file that could not be loaded has hidden its tests. */
function failuresOf(file: TestFile): readonly string[] {
  const notPassed = file.assertionResults.filter((result) => result.status !== 'passed');
  const named = notPassed.map((result) => `${file.name}: ${result.fullName} (${result.status})`);
  return named.length === 0 && file.status !== 'passed' ? [`${file.name}: ${file.message}`] : named;
}

for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 && reports.some((report) => report.numPassedTests > 0) ? 0 : 1;
