import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { FileTimes } from './scripts/file-times.ts';
import { LongestFirst } from './scripts/test-order.ts';

const project = (name: string, options: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
});

/** Vitest leaves one processor free; but much of their time these tests wait, for leases, deadlines and other programs. */
const maxWorkers = Math.max(2, availableParallelism() - 1);

/** Where scripts/test.sh wants the results of a suite, without ending. */
const results = process.env['KAGENT_TEST_RESULTS'];

export default defineConfig({
  test: {
    ...(results !== undefined && {
      reporters: ['default', ['json', { outputFile: `${results}.json` }], new FileTimes(`${results}.files`)],
    }),
    sequence: { sequencer: LongestFirst },
    projects: [
      project('unit', { maxWorkers }),
      project('integration', { testTimeout: 60_000, hookTimeout: 60_000, maxWorkers }),
      // A whole cluster per file: two at a time, since much of their time they wait for Kubernetes.
      project('e2e', { testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: 2 }),
      // A cluster of an earlier version, whose executable is given.
      project('upgrade', { testTimeout: 300_000, hookTimeout: 400_000 }),
      // Somebody else's suite, whose programs take minutes to compile: never by the way.
      project('gateway-api', { testTimeout: 60_000, hookTimeout: 7_200_000 }),
      // Kubernetes' own tests against one cluster, two suites at a time: much of their time they wait.
      project('upstream', { testTimeout: 14_400_000, hookTimeout: 3_600_000, maxConcurrency: 2 }),
      // Emulated machines, for hours: never by the way.
      project('machines', { testTimeout: 1_800_000, hookTimeout: 3_600_000, fileParallelism: false }),
    ],
  },
});
