/** Writes docs/gateway-api.md's tables from the last report: `node test/gateway-api/document.ts`. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { withResults } from '../helpers/results.ts';
import { leftOut, notClaimed } from './left-out.ts';
import { lastReport } from './report.ts';
import type { ConformanceReport, Report, Results } from './report.ts';

const path = resolve(import.meta.dirname, '../../docs/gateway-api.md');

/** What stands between the marks. */
export function resultsOf(report: Report): string {
  const { ours, traefiks, version, traefikVersion, date, tookSeconds, tests } = report;
  const head = `kagent ${version}, Traefik ${traefikVersion}, Gateway API ${ours.gatewayAPIVersion} (${ours.gatewayAPIChannel} channel), ${date}, ${tookSeconds} s. ${tests.run} tests were run, some of which count in several profiles; ${tests.others} others are left out, or belong to features below, meshes, TCPRoutes and UDPRoutes.`;
  const lines = ours.profiles
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap(({ name, core, extended }) => {
      const theirs = traefiks.profiles.find((profile) => profile.name === name);
      return [
        lineOf(`${name}, core`, core, theirs?.core),
        ...(extended ? [lineOf(`${name}, extended`, extended, theirs?.extended)] : []),
      ];
    });
  const table = [
    '| profile | passed | failed | left out | in the report of Traefik |',
    '| --- | --: | --: | --: | --- |',
  ];
  return [
    head,
    '',
    ...table,
    ...lines,
    '',
    ...listOf('Failed', namesIn(ours, 'failedTests'), () => 'not explained yet'),
    ...listOf('Left out', namesIn(ours, 'skippedTests'), (name) => leftOut[name]),
    ...listOf(
      'Features that Traefik does not claim, which are therefore not tried, and what it has instead by its own documentation',
      unclaimed(ours),
      whyNotClaimed,
    ),
  ].join('\n');
}

function lineOf(what: string, { statistics }: Results, theirs: Results | undefined): string {
  const { Passed, Failed, Skipped } = statistics;
  const own =
    theirs &&
    `${theirs.statistics.Passed} passed, ${theirs.statistics.Failed} failed, ${theirs.statistics.Skipped} left out`;
  return `| ${what} | ${Passed} | ${Failed} | ${Skipped} | ${own ?? 'not there'} |`;
}

function namesIn({ profiles }: ConformanceReport, field: 'failedTests' | 'skippedTests' | 'unsupportedFeatures') {
  const all = profiles.flatMap(({ core, extended }) => [...(core[field] ?? []), ...(extended?.[field] ?? [])]);
  return [...new Set(all)].toSorted();
}

const unclaimed = (report: ConformanceReport) => namesIn(report, 'unsupportedFeatures');
const whyNotClaimed = (feature: string) => notClaimed.find(([name]) => name.test(feature))?.[1];

function listOf(title: string, names: readonly string[], why: (name: string) => string | undefined): readonly string[] {
  if (names.length === 0) return [];
  return [`${title}:`, '', ...names.map((name) => `- \`${name}\`: ${why(name) ?? 'no reason is known'}.`), ''];
}

if (import.meta.main) await writeFile(path, withResults(await readFile(path, 'utf8'), resultsOf(await lastReport())));
