import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathsOf } from '../../../src/shared/paths.ts';
import { logParts } from '../../../src/support/logs.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const hourMs = 60 * 60 * 1000;

function box(files: Readonly<Record<string, { readonly text: string; readonly hoursOld: number }>>) {
  const paths = pathsOf(temporaryDir());
  mkdirSync(paths.logs);
  for (const [name, { text, hoursOld }] of Object.entries(files)) {
    writeFileSync(join(paths.logs, name), text);
    const time = new Date(nowMs - hoursOld * hourMs);
    utimesSync(join(paths.logs, name), time, time);
  }
  return logParts({ paths, sinceMs: nowMs - 24 * hourMs, maxPartBytes: 100, timeoutMs: 1000 });
}

test('logs come with the newest first, those of another day and other files not at all', () => {
  const parts = box({
    'kubelet.log': { text: '', hoursOld: 2 },
    'containerd.log.1': { text: '', hoursOld: 1 },
    'old.log': { text: '', hoursOld: 25 },
    'core.dump': { text: '', hoursOld: 1 },
  });
  const names = parts.map(({ name }) => name).filter((name) => !name.startsWith('logs/kagent'));
  expect(names).toEqual(['logs/containerd.log.1', 'logs/kubelet.log', 'logs/journal.txt']);
});

test('of a long log the last whole lines are taken, and what is missing is said', async () => {
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`).join('\n');
  const [part] = box({ 'kubelet.log': { text: lines, hoursOld: 1 } });
  expect(await part?.read()).toMatch(/^\(\d+ bytes before this are left out\)\nline 38\nline 39\n[\s\S]*\nline 49$/);
});
