/**
 * Adds up what test.sh ran: `node scripts/tally.ts FOLDER`, where `checks` has a line a check, `times` the seconds of each,
 * each `SUITE.json` is a report of vitest, and `SUITE.files` has the seconds of each of its files. Says where the time went; the last line is `N passed, N failed`. The exit code is 0
 * only if something ran and nothing failed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

interface Report {
  readonly success: boolean;
  /** Since 1970, in milliseconds. */
  readonly startTime: number;
  readonly numPassedTests: number;
  readonly testResults: readonly TestFile[];
}
interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  /** Of its last test. */
  readonly endTime: number;
  readonly assertionResults: readonly TestResult[];
}
interface TestResult {
  readonly status: string;
  readonly fullName: string;
  readonly title: string;
  readonly duration?: number;
}

const [dir = '.'] = process.argv.slice(2);
const checks = linesIn('checks');
const suites = readdirSync(dir)
  .filter((name) => name.endsWith('.json'))
  .map((name) => [basename(name, '.json'), JSON.parse(readFileSync(join(dir, name), 'utf8')) as Report] as const);
const reports = suites.map(([, report]) => report);

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

function linesIn(name: string): readonly string[] {
  return existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8').trim().split('\n') : [];
}

interface Timed {
  readonly seconds: number;
  readonly name: string;
}

function timesIn(file: string): readonly Timed[] {
  return linesIn(file).map((line) => {
    const [seconds = '', ...name] = line.split(' ');
    return { seconds: Number(seconds), name: name.join(' ') };
  });
}

/** Every check and suite that took a second or more. */
function partsByTime(): readonly string[] {
  const ofSuites = suites.map(([name, { startTime, testResults, numPassedTests }]) => {
    const endTime = Math.max(startTime, ...testResults.map((file) => file.endTime));
    return { seconds: (endTime - startTime) / 1000, name: `${name}: ${numPassedTests} tests` };
  });
  return [...timesIn('times'), ...ofSuites].filter(({ seconds }) => seconds >= 1).map(lineOf);
}

/** The longest files of all suites, each with the longest of its tests. */
function longestFiles(count: number): readonly string[] {
  const files = new Map(reports.flatMap(({ testResults }) => testResults.map((file) => [file.name, file])));
  const longest = suites.flatMap(([name]) => timesIn(`${name}.files`)).toSorted((a, b) => b.seconds - a.seconds);
  return longest.slice(0, count).map(({ seconds, name }) => {
    const tests = files.get(name)?.assertionResults ?? [];
    const [test] = tests.toSorted((a, b) => (b.duration ?? 0) - (a.duration ?? 0));
    const short = name.replace(/^.*\/test\//, '').replace(/\.test\.ts$/, '');
    const of = test === undefined ? '' : `, of which ${Math.round((test.duration ?? 0) / 1000)} s: ${test.title}`;
    return lineOf({ seconds, name: `${short}${of}` });
  });
}

function lineOf({ seconds, name }: Timed): string {
  return `${Math.round(seconds).toString().padStart(6)} s  ${name}`;
}

if (reports.length > 0) {
  for (const line of ['where the time went:', ...partsByTime(), 'the longest files:', ...longestFiles(15)])
    console.log(line);
}
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 && reports.some((report) => report.numPassedTests > 0) ? 0 : 1;
