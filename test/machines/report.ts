/** What a run showed, kept in dist/machines until `node test/machines/document.ts` makes docs/machines.md of it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { version } from '../../src/shared/version/version.ts';
import type { Row } from './rows.ts';

export const reportDir = resolve(import.meta.dirname, '../../dist/machines/reports');

export interface StoryReport {
  readonly story: string;
  readonly result: 'passed' | 'failed' | 'not tried';
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
  /** In an earlier run, on machines that were kept. */
  hasPassed(story: string): boolean;
  /** Before each story. @throws after one that failed: another would find a machine half way */
  begin(): void;
  /** What the present story has measured or seen. */
  note(detail: string): void;
  /** Writes the report each time: a run takes long, and may be broken off. */
  end(story: string, passed: boolean): void;
}

/** @param goesOn with the stories that an earlier run has left */
export function createReport(row: Row, goesOn: boolean): Report {
  const path = join(reportDir, `${row.name}.json`);
  const stories = goesOn ? passedBefore(path) : [];
  let startMs = 0;
  let detail: string | undefined;
  const failedStory = () => stories.find((earlier) => earlier.result === 'failed');
  return {
    hasPassed: (story) => stories.some((earlier) => earlier.story === story && earlier.result === 'passed'),
    begin() {
      startMs = performance.now();
      detail = undefined;
      const failed = failedStory();
      if (failed !== undefined) throw new Error(`not tried, as an earlier story failed: ${failed.story}`);
    },
    note(text) {
      detail = text;
    },
    end(story, passed) {
      const tookSeconds = Math.round((performance.now() - startMs) / 1000);
      const result = passed ? 'passed' : failedStory() === undefined ? 'failed' : 'not tried';
      stories.push({ story, result, tookSeconds, ...(detail !== undefined && { detail }) });
      mkdirSync(reportDir, { recursive: true });
      const report: RowReport = { row, version, date: new Date().toISOString().slice(0, 10), stories };
      writeFileSync(path, JSON.stringify(report, null, 2));
    },
  };
}

function passedBefore(path: string): StoryReport[] {
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, 'utf8')) as RowReport).stories.filter(({ result }) => result === 'passed');
}
