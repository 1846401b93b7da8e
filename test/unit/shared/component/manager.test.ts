import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createComponentManager, heldUpBy, task, watchNotReady } from '../../../../src/shared/component/component.ts';
import type { Component, NotReady } from '../../../../src/shared/component/component.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { eventually } from '../../../helpers/wait.ts';

/** Writes what happens to it into `story`. */
function scripted(
  story: string[],
  name: string,
  after: readonly string[],
  start: () => Promise<void> = async () => {},
): Component<string> {
  return {
    name,
    after,
    async start() {
      story.push(`start ${name}`);
      await start();
      story.push(`ready ${name}`);
    },
    async stop() {
      story.push(`stop ${name}`);
    },
    health: () => ({ status: 'True', reason: 'Ready', message: '', lastTransitionTime: '' }),
  };
}

test('a component starts when those it is after are ready, and stops before them', async () => {
  const story: string[] = [];
  const manager = createComponentManager([
    scripted(story, 'kubelet', ['containerd']),
    scripted(story, 'containerd', []),
  ]);
  await manager.start(new AbortController().signal);
  await manager.stop();
  expect(story).toEqual([
    'start containerd',
    'ready containerd',
    'start kubelet',
    'ready kubelet',
    'stop kubelet',
    'stop containerd',
  ]);
});

test('components that do not wait for each other start side by side', async () => {
  const story: string[] = [];
  const gate = Promise.withResolvers<void>();
  const manager = createComponentManager([
    scripted(story, 'slow', [], () => gate.promise),
    scripted(story, 'quick', [], async () => gate.resolve()),
  ]);
  await manager.start(new AbortController().signal);
  expect(story.slice(0, 2)).toEqual(['start slow', 'start quick']);
});

test('a failure stops what is up, cancels what is starting, and is what the caller gets', async () => {
  const story: string[] = [];
  let cancelled = false;
  const slow: Component<string> = {
    ...scripted(story, 'slow', []),
    start: (signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          cancelled = true;
          reject(new Error('cancelled'));
        }),
      ),
  };
  const broken = scripted(story, 'broken', ['first'], async () => {
    throw new Error('no such disk');
  });
  const manager = createComponentManager([scripted(story, 'first', []), broken, slow]);
  await expect(manager.start(new AbortController().signal)).rejects.toThrow('no such disk');
  expect(cancelled).toBe(true);
  expect(story).toContain('stop first');
});

test('a circle and an unknown name are refused before anything starts', () => {
  const story: string[] = [];
  expect(() => createComponentManager([scripted(story, 'a', ['b']), scripted(story, 'b', ['a'])])).toThrow('a → b → a');
  expect(() => createComponentManager([scripted(story, 'a', ['ghost'])])).toThrow('ghost');
});

test('what is not ready says what it waits for and since when', async () => {
  const clock = fakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const gate = Promise.withResolvers<void>();
  const cni = task('cni', [], async (_signal, saysWait) => {
    saysWait('NoPodCIDR', 'there is no range left');
    await gate.promise;
  });
  const manager = createComponentManager([cni, task('node-ready', ['cni'], async () => {})], undefined, clock);
  const started = manager.start(new AbortController().signal);
  await eventually(() => manager.conditions().get('cni')?.reason === 'NoPodCIDR');
  clock.advance(20_000);
  expect(Object.fromEntries(manager.conditions())).toEqual({
    cni: {
      status: 'False',
      reason: 'NoPodCIDR',
      message: 'there is no range left',
      lastTransitionTime: '2026-01-01T00:00:00.000Z',
    },
    'node-ready': {
      status: 'Unknown',
      reason: 'Waiting',
      message: 'waits for cni',
      lastTransitionTime: '2026-01-01T00:00:00.000Z',
    },
  });
  expect(heldUpBy(manager.notReady(), clock.now())).toBe('cni: there is no range left');
  gate.resolve();
  await started;
  expect(manager.notReady()).toEqual([]);
});

test('what takes long to stop says so, and what it is that is stopped', async () => {
  const gate = Promise.withResolvers<void>();
  const kubelet: Component = { ...task('kubelet', [], async () => {}), stop: () => gate.promise };
  const manager = createComponentManager([kubelet, task('cni', ['kubelet'], async () => {})]);
  await manager.start(new AbortController().signal);
  const stopped = manager.stop();
  const reasons = () => [...manager.conditions().values()].map(({ reason }) => reason);
  await eventually(() => reasons().join() === 'Stopping,Stopped');
  expect(manager.conditions().get('kubelet')).toMatchObject({ status: 'False', message: 'its stop takes long' });
  gate.resolve();
  await stopped;
  expect(reasons()).toEqual(['Stopped', 'Stopped']);
});

test('what takes long to start is logged once with its reason, again with another one, and when it is ready', async () => {
  const logged: string[] = [];
  const lines = { warn: 'waits', info: 'over' } as const;
  const log = {
    ...silentLog,
    ...Object.fromEntries(
      Object.entries(lines).map(([level, word]) => [
        level,
        (_message: string, { component, reason = '' }: Readonly<Record<string, string>> = {}) =>
          logged.push(`${word} ${component} ${reason}`.trim()),
      ]),
    ),
  };
  let all: readonly NotReady[] = [];
  const waits = (reason: string, ms: number): NotReady => ({
    name: 'cni',
    condition: { status: 'False', reason, message: '', lastTransitionTime: new Date(Date.now() - ms).toISOString() },
    wasReady: false,
  });
  const changes: string[] = [];
  const onChange = (names: string) => void changes.push(names);
  const end = watchNotReady({ notReady: () => all }, log, { everyMs: 5, onChange });
  onTestFinished(end);
  all = [waits('Starting', 1000)];
  await delay(30);
  expect(logged).toEqual([]);
  all = [waits('Starting', 15_000)];
  await eventually(() => logged.length === 1);
  await delay(30);
  all = [waits('NoPodCIDR', 20_000)];
  await eventually(() => logged.length === 2);
  all = [waits('Waiting', 20_000)];
  await delay(30);
  all = [];
  await eventually(() => logged.length === 3);
  expect(logged).toEqual(['waits cni Starting', 'waits cni NoPodCIDR', 'over cni']);
  expect(changes).toEqual(['cni', '']);
});

test('a component that is started again is not ready meanwhile, and what is after it stays as it is', async () => {
  const story: string[] = [];
  const manager = createComponentManager([
    scripted(story, 'containerd', []),
    scripted(story, 'kubelet', ['containerd'], async () => {
      story.push(...manager.notReady().map(({ name, condition }) => `${name} ${condition.reason}`));
    }),
  ]);
  await manager.start(new AbortController().signal);
  story.length = 0;
  await manager.restart('kubelet');
  expect(story).toEqual(['stop kubelet', 'start kubelet', 'kubelet Starting', 'ready kubelet']);
  expect(manager.notReady()).toEqual([]);
  await expect(manager.restart('kublet')).rejects.toThrow(TypeError);
});

test('a stop that comes during a restart ends it, and leaves nothing running', async () => {
  const story: string[] = [];
  const starts = Promise.withResolvers<void>();
  let times = 0;
  const kubelet = scripted([], 'kubelet', []);
  const manager = createComponentManager([
    {
      ...kubelet,
      async start(signal) {
        times += 1;
        if (times === 1) return;
        starts.resolve();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      async stop() {
        story.push('stop');
      },
    },
  ]);
  await manager.start(new AbortController().signal);
  const restart = manager.restart('kubelet');
  await starts.promise;
  await manager.stop();
  await expect(restart).rejects.toThrow('aborted');
  expect(story).toEqual(['stop', 'stop']);
});
