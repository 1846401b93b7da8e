import { expect, test } from 'vitest';
import { watchStore } from '../../../src/datastore/liveness.ts';
import { conditionTracker } from '../../../src/shared/component/component.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { eventually } from '../../helpers/wait.ts';

test('a store whose disk hangs is not ready, says which, and is ready again when the disk is back', async () => {
  const condition = conditionTracker();
  condition.set('True', 'Serving', '');
  const stop = new AbortController();
  let disk = Promise.withResolvers<void>();
  disk.resolve();
  const watch = watchStore(
    { ask: () => disk.promise, condition, dir: '/data/db', log: silentLog, timing: { everyMs: 5, withinMs: 20 } },
    stop.signal,
  );
  disk = Promise.withResolvers();
  await eventually(() => condition.current().status === 'False');
  expect(condition.current()).toMatchObject({
    reason: 'NotAnswering',
    message: expect.stringContaining('/data/db') as string,
  });
  disk.resolve();
  await eventually(() => condition.current().status === 'True');
  disk = Promise.withResolvers();
  await eventually(() => condition.current().status === 'False');
  stop.abort();
  await watch;
});
