import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { sectionOf, withSections } from '../../upstream/document.ts';
import { outcomeOf } from '../../upstream/report.ts';
import type { GinkgoSpec, SuiteReport } from '../../upstream/report.ts';
import { suites } from '../../upstream/suites.ts';

const doc = readFileSync(join(resolve(import.meta.dirname, '../../..'), 'docs/upstream-tests.md'), 'utf8');

const spec = (text: string, State: string, rest: Partial<GinkgoSpec> = {}): GinkgoSpec => ({
  ContainerHierarchyTexts: ['[sig-network] Netpol'],
  LeafNodeType: 'It',
  LeafNodeText: text,
  State,
  RunTime: 2.4e9,
  ...rest,
});

const suite = { tests: 'Netpol', except: 'slowly', leftOut: [{ tests: 'by SCTP', reason: 'the kernel has none' }] };

test('a test counts as passed, failed, or left out with the reason, and those of other suites do not count', () => {
  const message = 'unreachable\nand more';
  const outcome = outcomeOf(suite, [
    spec('allows', 'passed'),
    spec('denies', 'failed', { Failure: { Message: message } }),
    spec('hangs', 'timedout'),
    spec('connects by SCTP', 'skipped'),
    spec('needs four nodes', 'skipped', { Failure: { Message: 'only three' } }),
    spec('allows slowly', 'skipped'),
    spec('other', 'passed', { ContainerHierarchyTexts: ['[sig-apps] Job'] }),
    spec('', 'passed', { ContainerHierarchyTexts: null, LeafNodeType: 'SynchronizedBeforeSuite' }),
  ]);
  const name = (text: string) => `[sig-network] Netpol ${text}`;
  expect(outcome).toEqual({
    passed: [{ test: name('allows'), tookSeconds: 2 }],
    failed: [
      { test: name('denies'), tookSeconds: 2, message },
      { test: name('hangs'), tookSeconds: 2, message: 'timedout' },
    ],
    leftOut: [
      { reason: 'the kernel has none', tests: [name('connects by SCTP')] },
      { reason: 'upstream: only three', tests: [name('needs four nodes')] },
    ],
  });
});

test('a cluster that no test was begun with is a failure', () => {
  const failure = { Message: 'no node is Ready' };
  const hook = { ContainerHierarchyTexts: null, LeafNodeType: 'SynchronizedBeforeSuite', Failure: failure };
  expect(outcomeOf(suite, [spec('', 'failed', hook)]).failed).toEqual([
    { test: 'SynchronizedBeforeSuite', tookSeconds: 2, message: 'no node is Ready' },
  ]);
});

const report: SuiteReport = {
  name: 'netpol',
  title: suites[0]?.title ?? '',
  kagent: '0.1.0',
  kubernetes: 'v1.37.1',
  date: '2026-11-30',
  tookSeconds: 1000,
  passed: [{ test: '[sig-network] allows', tookSeconds: 2 }],
  failed: [{ test: 'denies | all', tookSeconds: 3, message: 'unreachable\nand more' }],
  leftOut: [{ reason: 'the kernel has none', tests: ['by SCTP'] }],
};

test('a section says how many passed, failed and were left out, and names each', () => {
  const section = sectionOf(report);
  expect(section).toContain('1 passed, 1 failed, 1 left out. Kubernetes v1.37.1, kagent 0.1.0, 2026-11-30, 17 min.');
  expect(section).toContain(String.raw`| \[sig-network\] allows | 2 |`);
  expect(section).toContain(String.raw`| denies \| all | unreachable |`);
  expect(section).toContain('| by SCTP | the kernel has none |');
});

test('docs/upstream-tests.md has every suite, and a new report changes the section of its own alone', () => {
  const headings = [...doc.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  expect(headings).toEqual(suites.map(({ title }) => title));
  const written = withSections(doc, [report]);
  expect(written).toContain(sectionOf(report).trim());
  const others = (text: string) => text.split(/^(?=### )/m).slice(2);
  expect(others(written)).toEqual(others(doc));
});
