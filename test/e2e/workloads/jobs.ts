import { expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

export function jobStories(box: () => Box): void {
  const namespace = 'jobs';
  const kubectl = (...args: readonly string[]) => box().kubectl('-n', namespace, ...args);

  test('a Job runs each of its parts once, and a CronJob runs when its minute comes', async () => {
    await box().kubectl('create', 'namespace', namespace);
    await box().apply(manifest('jobs'), '-n', namespace);
    await kubectl('wait', 'job/sum', '--for=condition=Complete', '--timeout=90s');
    const said = await kubectl('logs', '-l', 'job-name=sum', '--prefix=false');
    expect(said.trim().split('\n').toSorted()).toEqual(['part 0: 40', 'part 1: 41', 'part 2: 42']);

    const name = await eventually(
      async () => /job\S+minutely\S+/.exec(await kubectl('get', 'jobs', '-o', 'name'))?.[0],
      { withinMs: 75_000, what: "the CronJob's first Job" },
    );
    await kubectl('wait', name, '--for=condition=Complete', '--timeout=60s');
    expect(await kubectl('logs', name)).toBe('another minute\n');
  });
}
