/**
 * The Gateway API's own conformance suite against the bundled Traefik: `npm run test:gateway-api`, as root. What the last run gave is in
 * docs/gateway-api.md. With `KAGENT_GATEWAY_TEST` it is one test of the suite, and no report.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodes } from '../helpers/cluster.ts';
import type { Box, Nodes } from '../helpers/cluster.ts';
import { keepReport } from './report.ts';
import type { ConformanceReport, Report } from './report.ts';
import { buildPrograms, importImages, ports, profiles, runSuite } from './suite.ts';

let nodes: Nodes | undefined;
let report: Report;
let text: string;
const only = process.env['KAGENT_GATEWAY_TEST'];

beforeAll(async () => {
  const programs = await buildPrograms();
  nodes = await createNodes('gateway-api', { agents: 0 });
  const { server } = nodes;
  const client: Box = await nodes.addBox('client', 42);
  await server.apply(ports);
  await importImages(server, programs);
  const startMs = performance.now();
  text = await runSuite(server, client, programs, only);
  if (only === undefined) report = await keepReport(text, Math.round((performance.now() - startMs) / 1000));
});
afterAll(() => nodes?.wipe());

const profileOf = ({ profiles: all }: ConformanceReport, name: string) => all.find((profile) => profile.name === name);

test.runIf(only !== undefined)('the one test passes', () => {
  expect(text).not.toContain('failedTests');
});

test.runIf(only === undefined).each(profiles)(
  'of %s nothing fails, and as much passes as in the report of Traefik',
  (name) => {
    const ours = profileOf(report.ours, name);
    const theirs = profileOf(report.traefiks, name);
    expect(ours?.core.failedTests ?? []).toEqual([]);
    expect(ours?.extended?.failedTests ?? []).toEqual([]);
    expect(ours?.core.statistics).toEqual(theirs?.core.statistics);
    expect(ours?.extended?.statistics).toEqual(theirs?.extended?.statistics);
  },
);
