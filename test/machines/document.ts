/** Writes docs/machines.md's table from the last reports: `node test/machines/document.ts`. Rows that were not run keep theirs. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reportDir, type RowReport, type StoryReport } from './report.ts';

const path = resolve(import.meta.dirname, '../../docs/machines.md');
const begin = '<!-- results -->';
const end = '<!-- end of results -->';

/** A section a machine: what it is, and a line a story. */
export function sectionOf(report: RowReport): string {
  const { row, version, date, stories } = report;
  const { suite, arch, network, firewall, docker } = row.image;
  const head = [
    `### ${row.name}`,
    '',
    `${suite === 'bookworm' ? 'Debian 12' : 'Debian 13'} (${arch}), ${network}, firewall: ${firewall}, cards: ${row.cards}, ${docker ? 'Docker beside it' : 'alone'}, pods by ${row.backend}. kagent ${version}, ${date}.`,
    '',
    '| story | result | seconds | |',
    '| --- | --- | --: | --- |',
  ];
  return [...head, ...stories.map(lineOf), ''].join('\n');
}

function lineOf({ story, passed, tookSeconds, detail = '' }: StoryReport): string {
  return `| ${story} | ${passed ? 'passed' : '**failed**'} | ${tookSeconds} | ${detail} |`;
}

/** The document with these sections instead of its own of the same names. */
export function withSections(document: string, reports: readonly RowReport[]): string {
  const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)];
  const old = document.slice(from, to).split(/^(?=### )/m);
  const sections = new Map(
    old.flatMap((text) => /^### (.*)$/m.exec(text)?.[1] ?? []).map((name, index) => [name, old[index + 1] ?? '']),
  );
  for (const report of reports) sections.set(report.row.name, sectionOf(report));
  return `${document.slice(0, from)}\n\n${[...sections.values()].map((text) => `${text.trim()}\n`).join('\n')}\n${document.slice(to)}`;
}

if (import.meta.main) {
  const files = readdirSync(reportDir).filter((name) => name.endsWith('.json'));
  const reports = files.map((name) => JSON.parse(readFileSync(join(reportDir, name), 'utf8')) as RowReport);
  writeFileSync(path, withSections(readFileSync(path, 'utf8'), reports));
}
