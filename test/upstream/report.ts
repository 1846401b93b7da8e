/** What a run showed, kept in dist/upstream until `node test/upstream/document.ts` makes docs/upstream-tests.md of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Suite } from './suites.ts';

export const reportDir = resolve(import.meta.dirname, '../../dist/upstream');

export interface TestReport {
  /** As upstream prints it. */
  readonly test: string;
  readonly tookSeconds: number;
}

export interface LeftOutReport {
  readonly reason: string;
  readonly tests: readonly string[];
}

export interface SuiteReport {
  readonly name: string;
  readonly title: string;
  readonly kagent: string;
  readonly kubernetes: string;
  readonly date: string; // YYYY-MM-DD
  readonly tookSeconds: number;
  readonly passed: readonly TestReport[];
  readonly failed: readonly (TestReport & { readonly message: string })[];
  /** By us, and by the tests themselves when they look at the cluster. */
  readonly leftOut: readonly LeftOutReport[];
}

/** What is read of ginkgo's own report. @see github.com/onsi/ginkgo/v2/types SpecReport */
export interface GinkgoSpec {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly State: string;
  /** Nanoseconds. */
  readonly RunTime: number;
  readonly Failure?: { readonly Message: string };
}

export function outcomeOf(
  suite: Pick<Suite, 'tests' | 'except' | 'leftOut'>,
  specs: readonly GinkgoSpec[],
): Pick<SuiteReport, 'passed' | 'failed' | 'leftOut'> {
  const passed: TestReport[] = [];
  const failed: (TestReport & { readonly message: string })[] = [];
  const leftOut = new Map<string, string[]>();
  const { tests: chosen, except } = suite;
  const isOfSuite = (test: string) =>
    new RegExp(chosen).test(test) && (except === undefined || !new RegExp(except).test(test));
  for (const spec of specs) {
    const test = nameOf(spec);
    const isTest = spec.LeafNodeType === 'It';
    // A hook of the whole suite counts if it is the reason why nothing ran.
    if (isTest ? !isOfSuite(test) : spec.State === 'passed' || spec.State === 'skipped') continue;
    const report = { test, tookSeconds: Math.round(spec.RunTime / 1e9) };
    if (spec.State === 'passed') passed.push(report);
    else if (spec.State === 'skipped' || spec.State === 'pending') {
      const reason = reasonOf(suite.leftOut, test) ?? `upstream: ${spec.Failure?.Message ?? spec.State}`;
      leftOut.set(reason, [...(leftOut.get(reason) ?? []), test]);
    } else failed.push({ ...report, message: spec.Failure?.Message ?? spec.State });
  }
  return { passed, failed, leftOut: [...leftOut].map(([reason, tests]) => ({ reason, tests })) };
}

function reasonOf(leftOut: Suite['leftOut'], test: string): string | undefined {
  return leftOut.find(({ tests }) => new RegExp(tests).test(test))?.reason;
}

function nameOf({ ContainerHierarchyTexts, LeafNodeText, LeafNodeType }: GinkgoSpec): string {
  return [...(ContainerHierarchyTexts ?? []), LeafNodeText === '' ? LeafNodeType : LeafNodeText].join(' ');
}

export function keepReport(report: SuiteReport): void {
  mkdirSync(reportDir, { recursive: true });
  writeFileSync(join(reportDir, `${report.name}.json`), JSON.stringify(report, null, 2));
}
