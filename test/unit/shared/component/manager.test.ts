import { expect, test } from 'vitest';
import { createComponentManager, type Component } from '../../../../src/shared/component/component.ts';

/** Writes what happens to it into `story`. */
function scripted(
  story: string[],
  name: string,
  after: readonly string[],
  start: () => Promise<void> = async () => {},
): Component {
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
  const slow: Component = {
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
