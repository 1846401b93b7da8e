import { rfc3339, systemClock, type Clock } from '../clock.ts';
import type { Component, ComponentManager, Condition } from './component.ts';

/** Told of each step, for the progress line and the timeline. */
export interface ComponentObserver {
  starting(name: string): void;
  ready(name: string): void;
}

const noObserver: ComponentObserver = { starting: () => {}, ready: () => {} };

export function createComponentManager<Name extends string>(
  components: readonly Component<Name>[],
  observer: ComponentObserver = noObserver,
  clock: Clock = systemClock,
): ComponentManager<Name> {
  checkOrder(components);
  const byName = new Map(components.map((component) => [component.name, component]));
  const steps = new Map<string, Step>();
  const ending = new AbortController();
  const restarts = new Set<Promise<void>>();
  const take = (name: string, step: Step['name']) => steps.set(name, { name: step, since: rfc3339(clock.now()) });

  const start = async (signal: AbortSignal): Promise<void> => {
    const failed = new AbortController();
    const startSignal = AbortSignal.any([signal, failed.signal]);
    for (const { name } of components) take(name, 'waiting');
    const ready = new Map<string, Promise<void>>();
    const startOne = (component: Component<Name>): Promise<void> => {
      const known = ready.get(component.name);
      if (known !== undefined) return known;
      const started = Promise.all(
        component.after.flatMap((name) => {
          const dependency = byName.get(name);
          return dependency === undefined ? [] : [startOne(dependency)];
        }),
      ).then(async () => {
        startSignal.throwIfAborted();
        take(component.name, 'starting');
        observer.starting(component.name);
        await component.start(startSignal);
        take(component.name, 'up');
        observer.ready(component.name);
      });
      ready.set(component.name, started);
      return started;
    };
    try {
      await Promise.all(components.map(startOne));
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(ready.values());
      await stop();
      throw error;
    }
  };

  const restartOne = async (name: Name): Promise<void> => {
    const component = byName.get(name);
    if (component === undefined) throw new TypeError(`no component is named ${name}`);
    await component.stop();
    ending.signal.throwIfAborted(); // its end is what is wanted now
    take(name, 'starting');
    await component.start(ending.signal);
    take(name, 'up');
  };

  const restart = async (name: Name): Promise<void> => {
    const restarted = restartOne(name);
    restarts.add(restarted);
    try {
      await restarted;
    } finally {
      restarts.delete(restarted);
    }
  };

  const stop = async (): Promise<void> => {
    ending.abort();
    await Promise.allSettled(restarts);
    const stopped = new Map<string, Promise<void>>();
    const stopOne = (component: Component<Name>): Promise<void> => {
      const known = stopped.get(component.name);
      if (known !== undefined) return known;
      const done = Promise.all(components.filter((other) => other.after.includes(component.name)).map(stopOne)).then(
        async () => {
          take(component.name, 'stopping');
          await component.stop();
          take(component.name, 'stopped');
        },
      );
      stopped.set(component.name, done);
      return done;
    };
    const results = await Promise.allSettled(components.map(stopOne));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  };

  const conditionOf = (component: Component<Name>): Condition => {
    const own = component.health();
    const step = steps.get(component.name);
    if (step === undefined || step.name === 'up') return own;
    const lastTransitionTime = step.since;
    if (step.name === 'stopped') return { status: 'False', reason: 'Stopped', message: '', lastTransitionTime };
    if (step.name === 'stopping') {
      const message = own.message === '' ? 'its stop takes long' : own.message;
      return { ...own, status: 'False', reason: 'Stopping', message, lastTransitionTime };
    }
    if (step.name === 'waiting') {
      const missing = component.after.filter((name) => steps.get(name)?.name !== 'up');
      return { status: 'Unknown', reason: 'Waiting', message: `waits for ${missing.join(', ')}`, lastTransitionTime };
    }
    if (own.status === 'False') return { ...own, lastTransitionTime };
    const message = own.message === '' ? 'it is at work, and its start takes long' : own.message;
    return { ...own, status: 'False', reason: 'Starting', message, lastTransitionTime };
  };

  return {
    start,
    stop,
    restart,
    conditions: () => new Map(components.map((component) => [component.name, conditionOf(component)])),
    notReady: () =>
      components
        .map((component) => ({
          name: component.name,
          condition: conditionOf(component),
          wasReady: steps.get(component.name)?.name === 'up',
        }))
        .filter(({ condition }) => condition.status !== 'True'),
  };
}

/** How far a component is, and since when (RFC 3339). */
interface Step {
  readonly name: 'waiting' | 'starting' | 'up' | 'stopping' | 'stopped';
  readonly since: string;
}

/** A name that nobody has, or a circle, is a mistake in the program. */
function checkOrder<Name extends string>(components: readonly Component<Name>[]): void {
  const byName = new Map<string, Component<Name>>(components.map((component) => [component.name, component]));
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) throw new TypeError(`components wait for each other: ${[...path, name].join(' → ')}`);
    const component = byName.get(name);
    if (component === undefined) throw new TypeError(`no component is named ${name} (${path.join(' → ')})`);
    for (const dependency of component.after) visit(dependency, [...path, name]);
  };
  for (const component of components) visit(component.name, []);
}
