/** Writes docs/machines.md's table from the last reports: `node test/machines/document.ts`. Rows that were not run keep theirs. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withSections as sectionsInto } from '../helpers/results.ts';
import { reportDir } from './report.ts';
import type { RowReport, StoryReport } from './report.ts';
import { rows } from './rows.ts';
import type { Row } from './rows.ts';

const path = resolve(import.meta.dirname, '../../docs/machines.md');

/** A section a machine: what it is, and a line a story. */
export function sectionOf({ row, version, date, stories }: RowReport): string {
  const head = [
    `### ${row.name}`,
    '',
    `${describe(row)} kagent ${version}, ${date}.`,
    '',
    '| story | result | seconds | |',
    '| --- | --- | --: | --- |',
  ];
  return [...head, ...stories.map(lineOf), ''].join('\n');
}

function describe(row: Row): string {
  const { suite, arch, kernel, network, firewall, docker, hardened } = row.image;
  const parts = [
    `${suite === 'bookworm' ? 'Debian 12' : 'Debian 13'} (${arch})`,
    kernel === 'user-mode' ? 'user-mode Linux' : "Debian's own kernel, emulated",
    network,
    `firewall: ${firewall}`,
    `cards: ${row.cards}`,
    docker ? 'Docker beside it' : 'alone',
    ...(hardened ? ['hardened'] : []),
    `pods by ${row.backend}`,
    row.machines === 2 ? 'two machines' : 'one machine',
  ];
  return `${parts.join(', ')}.`;
}

function lineOf({ story, result, tookSeconds, detail = '' }: StoryReport): string {
  return `| ${story} | ${result === 'failed' ? '**failed**' : result} | ${tookSeconds} | ${detail.replaceAll('|', '\\|')} |`;
}

/** The document with these sections instead of its own of the same names, in the order of the rows, each of which is there. */
export function withSections(document: string, reports: readonly RowReport[]): string {
  const beforeAnyRun = new Map(rows.map((row) => [row.name, `### ${row.name}\n\n${describe(row)} Not run yet.`]));
  return sectionsInto(document, beforeAnyRun, new Map(reports.map((report) => [report.row.name, sectionOf(report)])));
}

if (import.meta.main) {
  const files = existsSync(reportDir) ? readdirSync(reportDir).filter((name) => name.endsWith('.json')) : [];
  const reports = files.map((name) => JSON.parse(readFileSync(join(reportDir, name), 'utf8')) as RowReport);
  writeFileSync(path, withSections(readFileSync(path, 'utf8'), reports));
}
