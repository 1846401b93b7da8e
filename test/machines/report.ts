/** What a run showed, kept in dist/machines until `node test/machines/document.ts` makes docs/machines.md of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { version } from '../../src/shared/version/version.ts';
import type { Row } from './rows.ts';

export const reportDir = resolve(import.meta.dirname, '../../dist/machines/reports');

export interface StoryReport {
  readonly story: string;
  readonly passed: boolean;
  readonly tookSeconds: number;
  /** What was measured or seen. */
  readonly detail?: string;
}

export interface RowReport {
  readonly row: Row;
  readonly version: string;
  readonly date: string; // YYYY-MM-DD
  readonly stories: readonly StoryReport[];
}

export interface Report {
  /** Runs a story; what it returns is its detail. */
  measure(story: string, run: () => Promise<string | undefined>): Promise<void>;
  write(): void;
}

export function createReport(row: Row): Report {
  const stories: StoryReport[] = [];
  return {
    async measure(story, run) {
      const startMs = performance.now();
      const keep = (passed: boolean, detail: string | undefined) =>
        stories.push({
          story,
          passed,
          tookSeconds: Math.round((performance.now() - startMs) / 1000),
          ...(detail !== undefined && { detail }),
        });
      try {
        keep(true, await run());
      } catch (error) {
        keep(false, undefined);
        throw error;
      }
    },
    write() {
      mkdirSync(reportDir, { recursive: true });
      const report: RowReport = { row, version, date: new Date().toISOString().slice(0, 10), stories };
      writeFileSync(join(reportDir, `${row.name}.json`), JSON.stringify(report, null, 2));
    },
  };
}
