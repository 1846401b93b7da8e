/**
 * Kubernetes' own end-to-end tests against a server and two agents: `npm run test:upstream`, or with `KAGENT_UPSTREAM` the suites
 * named there (suites.ts), and with `KAGENT_UPSTREAM_ONLY` those of their tests whose names it matches, without a report.
 * What the last run gave is in docs/upstream-tests.md.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSuite } from './ginkgo.ts';
import { upstreamHosts } from './hosts.ts';
import type { Hosts } from './hosts.ts';
import { upstreamImages } from './images.ts';
import { kubernetesVersion, upstreamPrograms } from './programs.ts';
import type { ProgramName } from './programs.ts';
import { keepReport } from './report.ts';
import { chosenSuites } from './suites.ts';

const only = process.env['KAGENT_UPSTREAM_ONLY'];

let program: (name: ProgramName) => string;
let kubernetes: string;
let hosts: Hosts;

beforeAll(async () => {
  kubernetes = await kubernetesVersion();
  program = await upstreamPrograms();
  const { stdout } = await promisify(execFile)(program('e2e.test'), ['--list-images'], { maxBuffer: 16 << 20 });
  hosts = await upstreamHosts(await upstreamImages(program, stdout.trim().split('\n')));
});

afterAll(() => hosts?.wipe());

const chosen = chosenSuites(process.env['KAGENT_UPSTREAM']);

test.concurrent.each(chosen)('$title: what upstream expects of a cluster', async (suite) => {
  const run = { client: hosts.client, program, kubernetes };
  const report = await runSuite(run, { ...suite, ...(only !== undefined && { tests: only }) });
  if (only === undefined) keepReport(report);
  expect(report.failed.map(({ test: name, message }) => `${name}: ${message}`)).toEqual([]);
  expect(report.passed.length).toBeGreaterThan(0);
});
