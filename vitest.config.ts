import { defineConfig } from 'vitest/config';

const project = (name: string, options: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('integration', { testTimeout: 60_000, hookTimeout: 60_000 }),
      // A whole cluster per file: two at a time, since much of their time they wait for Kubernetes.
      project('e2e', { testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: 2 }),
      // A cluster of an earlier version, whose executable is given.
      project('upgrade', { testTimeout: 300_000, hookTimeout: 400_000 }),
      // Emulated machines, for hours: never by the way.
      project('machines', { testTimeout: 1_800_000, hookTimeout: 3_600_000, fileParallelism: false }),
    ],
  },
});
