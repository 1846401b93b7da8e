import { defineConfig } from 'vitest/config';

const project = (name: string, options: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('integration', { testTimeout: 60_000, hookTimeout: 60_000 }),
      // A whole cluster per file: one at a time, on a machine of two cores.
      project('e2e', { testTimeout: 300_000, hookTimeout: 300_000, fileParallelism: false }),
      // Emulated machines, for hours: never by the way.
      project('machines', { testTimeout: 1_800_000, hookTimeout: 3_600_000, fileParallelism: false }),
    ],
  },
});
