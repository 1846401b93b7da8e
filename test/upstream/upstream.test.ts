/**
 * Kubernetes' own end-to-end tests against a server and two agents: `npm run test:upstream`, or with `KAGENT_UPSTREAM` the suites
 * named there (suites.ts), and with `KAGENT_UPSTREAM_ONLY` those of their tests whose names it matches, without a report.
 * What the last run gave is in docs/upstream-tests.md.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { version } from '../../src/shared/version/version.ts';
import { clientFiles, upstreamHosts } from './hosts.ts';
import type { Hosts } from './hosts.ts';
import { upstreamImages } from './images.ts';
import { kubernetesVersion, upstreamPrograms } from './programs.ts';
import type { ProgramName } from './programs.ts';
import { keepReport, outcomeOf, reportDir } from './report.ts';
import type { GinkgoSpec } from './report.ts';
import { chosenSuites } from './suites.ts';
import type { Suite } from './suites.ts';

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

/** @returns ginkgo's report, of all tests that there are */
async function specsOf(suite: Suite): Promise<readonly GinkgoSpec[]> {
  const folder = `/tmp/upstream/${suite.name}`;
  const { leftOut, except } = suite;
  const others = [...leftOut.map(({ tests }) => tests), ...(except === undefined ? [] : [except])];
  const ginkgo = [
    program('ginkgo'),
    `--procs=${suite.atATime}`,
    `--focus=${only ?? suite.tests}`,
    ...others.map((tests) => `--skip=${tests}`),
    '--timeout=4h',
    '--no-color',
    '--silence-skips',
    '--json-report=report.json',
    '--junit-report=junit.xml',
    `--output-dir=${folder}`,
    program('e2e.test'),
    '--',
    '--provider=local',
    `--kubeconfig=${clientFiles.kubeconfig}`,
    `--kubectl-path=${clientFiles.kubectl}`,
    `--storage.testdriver=${clientFiles.storageDriver}`,
  ];
  const { client } = hosts;
  await client.sh(`mkdir -p ${folder}`);
  await client.run(['sh', '-c', `exec "$@" >${folder}/output.log 2>&1`, 'sh', ...ginkgo]).exited;
  const [from, to] = [join(client.host.dir, 'disk', folder), join(reportDir, suite.name)];
  await mkdir(to, { recursive: true });
  for (const name of ['output.log', 'junit.xml', 'report.json']) await copyFile(join(from, name), join(to, name));
  const [report] = JSON.parse(await readFile(join(to, 'report.json'), 'utf8')) as [{ SpecReports: GinkgoSpec[] }];
  return report.SpecReports;
}

test.concurrent.each(chosenSuites(process.env['KAGENT_UPSTREAM']))(
  '$title: what upstream expects of a cluster',
  async (suite) => {
    const startMs = performance.now();
    const outcome = outcomeOf({ ...suite, ...(only !== undefined && { tests: only }) }, await specsOf(suite));
    const tookSeconds = Math.round((performance.now() - startMs) / 1000);
    const date = new Date().toISOString().slice(0, 10);
    if (only === undefined)
      keepReport({ name: suite.name, title: suite.title, kagent: version, kubernetes, date, tookSeconds, ...outcome });
    expect(outcome.failed.map(({ test: name, message }) => `${name}: ${message}`)).toEqual([]);
    expect(outcome.passed.length).toBeGreaterThan(0);
  },
);
