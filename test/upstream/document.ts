/** Writes docs/upstream-tests.md's results from the last reports: `node test/upstream/document.ts`. Suites that were not run keep theirs. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withSections as sectionsInto } from '../helpers/results.ts';
import { reportDir } from './report.ts';
import type { SuiteReport } from './report.ts';
import { suites } from './suites.ts';

const path = resolve(import.meta.dirname, '../../docs/upstream-tests.md');

export function sectionOf(report: SuiteReport): string {
  const { title, kagent, kubernetes, date, passed, failed, leftOut } = report;
  const without = leftOut.reduce((sum, { tests }) => sum + tests.length, 0);
  const minutes = Math.max(1, Math.round(report.tookSeconds / 60));
  return [
    `### ${title}`,
    '',
    `${passed.length} passed, ${failed.length} failed, ${without} left out. Kubernetes ${kubernetes}, kagent ${kagent}, ${date}, ${minutes} min.`,
    ...table(
      ['failed', 'what it said'],
      failed.map(({ test, message }) => [test, firstLine(message)]),
    ),
    ...table(
      ['left out', 'why'],
      leftOut.flatMap(({ reason, tests }) => tests.map((test) => [test, reason])),
    ),
    ...table(
      ['passed', 'seconds'],
      passed.map(({ test, tookSeconds }) => [test, String(tookSeconds)]),
    ),
    '',
  ].join('\n');
}

function table(head: readonly [string, string], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.map(asCell).join(' | ')} |`;
  return ['', line(head), '| --- | --- |', ...rows.toSorted(byFirst).map(line)];
}

const byFirst = ([a = '']: readonly string[], [b = '']: readonly string[]) => (a < b ? -1 : 1);
/** Markdown would read the brackets of a name as links, and `<` as HTML. */
const asCell = (text: string) => text.replaceAll(/[\\|[\]<>*_]/g, (character) => `\\${character}`);
const firstLine = (text: string) => text.trim().split('\n', 1).join('').slice(0, 200);

/** The document with these sections instead of its own of the same titles, in the order of the suites, each of which is there. */
export function withSections(document: string, reports: readonly SuiteReport[]): string {
  const beforeAnyRun = new Map(suites.map(({ title }) => [title, `### ${title}\n\nNot run yet.`]));
  return sectionsInto(document, beforeAnyRun, new Map(reports.map((report) => [report.title, sectionOf(report)])));
}

if (import.meta.main) {
  const files = suites.map(({ name }) => join(reportDir, `${name}.json`)).filter((file) => existsSync(file));
  const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as SuiteReport);
  writeFileSync(path, withSections(readFileSync(path, 'utf8'), reports));
}
