/** Runs a suite on the client, and brings its report. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '../../src/shared/version/version.ts';
import type { Box } from '../helpers/cluster.ts';
import { clientFiles } from './hosts.ts';
import type { ProgramName } from './programs.ts';
import { outcomeOf, reportDir } from './report.ts';
import type { GinkgoSpec, SuiteReport } from './report.ts';
import type { Suite } from './suites.ts';

export interface SuiteRun {
  readonly client: Box;
  readonly program: (name: ProgramName) => string;
  /** `v1.37.1` */
  readonly kubernetes: string;
}

export async function runSuite({ client, program, kubernetes }: SuiteRun, suite: Suite): Promise<SuiteReport> {
  const startMs = performance.now();
  const folder = `/tmp/upstream/${suite.name}`;
  await client.sh(`mkdir -p ${folder}`);
  const command = commandOf(suite, folder, program);
  await client.run(['sh', '-c', `exec "$@" >${folder}/output.log 2>&1`, 'sh', ...command]).exited;
  const [from, to] = [join(client.host.dir, 'disk', folder), join(reportDir, suite.name)];
  await mkdir(to, { recursive: true });
  for (const name of ['output.log', 'junit.xml', 'report.json']) await copyFile(join(from, name), join(to, name));
  const [report] = JSON.parse(await readFile(join(to, 'report.json'), 'utf8')) as [{ SpecReports: GinkgoSpec[] }];
  return {
    name: suite.name,
    title: suite.title,
    kagent: version,
    kubernetes,
    date: new Date().toISOString().slice(0, 10),
    tookSeconds: Math.round((performance.now() - startMs) / 1000),
    ...outcomeOf(suite, report.SpecReports),
  };
}

function commandOf(suite: Suite, folder: string, program: SuiteRun['program']): readonly string[] {
  const { tests, except, leftOut, atATime } = suite;
  const others = [...leftOut.map((one) => one.tests), ...(except === undefined ? [] : [except])];
  return [
    program('ginkgo'),
    `--procs=${atATime}`,
    `--focus=${tests}`,
    ...others.map((one) => `--skip=${one}`),
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
}
