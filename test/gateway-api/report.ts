/** What a run showed, kept in dist/gateway-api until `node test/gateway-api/document.ts` makes docs/gateway-api.md of it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { version } from '../../src/shared/version/version.ts';
import { downloadModule } from '../helpers/go.ts';

export const reportDir = resolve(import.meta.dirname, '../../dist/gateway-api');
/** What the suite wrote. */
export const outputFile = join(reportDir, 'output.log');
const reportFile = join(reportDir, 'report.json');

export interface Results {
  readonly statistics: { readonly Passed: number; readonly Failed: number; readonly Skipped: number };
  readonly failedTests?: readonly string[];
  readonly skippedTests?: readonly string[];
  readonly supportedFeatures?: readonly string[];
  readonly unsupportedFeatures?: readonly string[];
}

/** `ConformanceReport` of the suite, as far as it is read here. */
export interface ConformanceReport {
  readonly gatewayAPIVersion: string;
  readonly gatewayAPIChannel: string;
  readonly profiles: readonly { readonly name: string; readonly core: Results; readonly extended?: Results }[];
  readonly succeededProvisionalTests?: readonly string[];
}

export interface Report {
  readonly version: string;
  readonly traefikVersion: string;
  readonly date: string; // YYYY-MM-DD
  readonly tookSeconds: number;
  /** How many were run, and how many are left out or need what no profile has here, or what is not claimed. */
  readonly tests: { readonly run: number; readonly others: number };
  readonly ours: ConformanceReport;
  /** Traefik's own, of the same suite. */
  readonly traefiks: ConformanceReport;
}

export async function keepReport(text: string, tookSeconds: number): Promise<Report> {
  const ours = parse(text) as ConformanceReport;
  const traefik = await downloadModule('github.com/traefik/traefik/v3', 'components/traefik');
  const report: Report = {
    version,
    traefikVersion: traefik.version,
    date: new Date().toISOString().slice(0, 10),
    tookSeconds,
    tests: countTests(await readFile(outputFile, 'utf8')),
    ours,
    traefiks: await traefiksReport(traefik.dir, ours.gatewayAPIVersion),
  };
  await mkdir(reportDir, { recursive: true });
  await writeFile(reportFile, JSON.stringify(report, null, 2));
  return report;
}

function countTests(output: string) {
  const count = (outcome: RegExp) => output.split('\n').filter((line) => outcome.test(line)).length;
  return { run: count(/^ {4}--- (PASS|FAIL)/), others: count(/^ {4}--- SKIP/) };
}

export async function lastReport(): Promise<Report> {
  return JSON.parse(await readFile(reportFile, 'utf8')) as Report;
}

/** Upstream's source has the report of each minor version, made with the suite of that Gateway API. */
async function traefiksReport(dir: string, gatewayApiVersion: string): Promise<ConformanceReport> {
  const folder = join(dir, 'integration/gateway-api-conformance-reports', gatewayApiVersion);
  return parse(await readFile(join(folder, 'experimental-v3.7-default-report.yaml'), 'utf8')) as ConformanceReport;
}
