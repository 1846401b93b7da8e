import { statSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { conditionTracker, task } from '../../../../src/shared/component/component.ts';
import type { Component } from '../../../../src/shared/component/component.ts';
import { askStatus, isAllReady, openDaemon } from '../../../../src/host/daemon/daemon.ts';
import type { DaemonStatus } from '../../../../src/host/daemon/daemon.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { silentNotifier } from '../../../helpers/notifier.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function setUp() {
  const dir = temporaryDir();
  const options = {
    mode: 'server',
    paths: pathsOf(join(dir, 'data')),
    statusSocket: join(dir, 'kagent.sock'),
    log: silentLog,
    nodeName: 'box',
    notifier: silentNotifier,
  } as const;
  return { dir, options };
}

async function runUntilReady(
  options: Parameters<typeof openDaemon>[0],
  components: readonly Component[] = [task('datastore', [], async () => {})],
) {
  const stop = new AbortController();
  const daemon = await openDaemon(options);
  const ready = Promise.withResolvers<DaemonStatus>();
  const over = daemon.run(components, {
    signal: stop.signal,
    onProgress: () => {},
    onReady: ready.resolve,
  });
  onTestFinished(() => stop.abort());
  return { status: await ready.promise, stop, over, daemon };
}

test('a running kagent answers status at a socket that is for root alone, until it is stopped', async () => {
  const { options } = setUp();
  const { stop, over } = await runUntilReady(options);
  expect(statSync(options.statusSocket).mode & 0o777).toBe(0o600);
  const status = await askStatus(options.statusSocket);
  expect(status).toMatchObject({ mode: 'server', nodeName: 'box', isReady: true, pid: process.pid });
  expect(status.components.map((component) => component.name)).toEqual(['datastore']);
  stop.abort();
  await over;
  await expect(askStatus(options.statusSocket)).rejects.toThrow(/no kagent answers at .*kagent\.sock \(ENOENT\)/);
});

test('a second kagent on the same data dir is told who has it', async () => {
  const { options } = setUp();
  const { stop, over } = await runUntilReady(options);
  await expect(openDaemon(options)).rejects.toThrow(
    new RegExp(`another kagent \\(pid ${process.pid}\\) runs on ${options.paths.dataDir}`),
  );
  stop.abort();
  await over;
});

test('a data dir of a newer kagent is left alone', async () => {
  const { options } = setUp();
  mkdirSync(options.paths.dataDir);
  writeFileSync(options.paths.version, '{"version":"99.1.0"}');
  await expect(openDaemon(options)).rejects.toThrow(/was written by kagent 99\.1\.0/);
  writeFileSync(options.paths.version, '{"version":"0.0.1"}');
  const { stop, over } = await runUntilReady(options); // the refusal kept no lock
  stop.abort();
  await over;
});

test('kagent is ready as long as every component is, and says which is not', async () => {
  const { options } = setUp();
  const condition = conditionTracker();
  const kubelet: Component = { ...task('kubelet', [], async () => {}), health: () => condition.current() };
  condition.set('True', 'Ready', '');
  const { stop, over, daemon } = await runUntilReady(options, [kubelet]);
  expect(await askStatus(options.statusSocket)).toMatchObject({ isStarted: true, isReady: true });
  expect(daemon.notReady()).toEqual([]);
  condition.set('False', 'NotAnswering', 'it does not answer');
  const status = await askStatus(options.statusSocket);
  expect(status).toMatchObject({ isStarted: true, isReady: false });
  expect(isAllReady(status)).toBe(false);
  expect(isAllReady({ ...status, isReady: true })).toBe(false); // as an earlier kagent has it
  expect(daemon.notReady().map(({ name, condition: { reason } }) => [name, reason])).toEqual([
    ['kubelet', 'NotAnswering'],
  ]);
  condition.set('True', 'Ready', '');
  expect((await askStatus(options.statusSocket)).isReady).toBe(true);
  stop.abort();
  await over;
});

test('a failure that no restart heals ends the run with its reason', async () => {
  const { options } = setUp();
  const { daemon, over } = await runUntilReady(options);
  daemon.fail(new Error('the disk is gone'));
  await expect(over).rejects.toThrow('the disk is gone');
});
