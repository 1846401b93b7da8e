import { rfc3339, systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import type { Component, ComponentManager, Condition, NotReady } from './types.ts';

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
  return new Manager(components, observer, clock);
}

class Manager<Name extends string> implements ComponentManager<Name> {
  readonly #components: readonly Component<Name>[];
  readonly #observer: ComponentObserver;
  readonly #clock: Clock;
  readonly #byName: ReadonlyMap<Name, Component<Name>>;
  readonly #steps = new Map<string, Step>();
  readonly #ending = new AbortController();
  readonly #restarts = new Set<Promise<void>>();

  constructor(components: readonly Component<Name>[], observer: ComponentObserver, clock: Clock) {
    this.#components = components;
    this.#observer = observer;
    this.#clock = clock;
    this.#byName = new Map(components.map((component) => [component.name, component]));
  }

  async start(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const startSignal = AbortSignal.any([signal, failed.signal]);
    for (const { name } of this.#components) this.#take(name, 'waiting');
    const ready = inOrder(
      this.#components,
      ({ after }) => after.flatMap((name) => this.#byName.get(name) ?? []),
      (component) => this.#startOne(component, startSignal),
    );
    try {
      await Promise.all(ready);
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(ready);
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.allSettled(this.#restarts);
    const stopped = inOrder(
      this.#components,
      ({ name }) => this.#components.filter(({ after }) => after.includes(name)),
      (component) => this.#stopOne(component),
    );
    const results = await Promise.allSettled(stopped);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  async restart(name: Name): Promise<void> {
    const restarted = this.#restartOne(name);
    this.#restarts.add(restarted);
    try {
      await restarted;
    } finally {
      this.#restarts.delete(restarted);
    }
  }

  conditions(): ReadonlyMap<string, Condition> {
    return new Map(this.#components.map((component) => [component.name, this.#conditionOf(component)]));
  }

  notReady(): readonly NotReady[] {
    return this.#components
      .map((component) => ({
        name: component.name,
        condition: this.#conditionOf(component),
        wasReady: this.#isUp(component.name),
      }))
      .filter(({ condition }) => condition.status !== 'True');
  }

  #take(name: string, step: Step['name']): void {
    this.#steps.set(name, { name: step, since: rfc3339(this.#clock.now()) });
  }

  #isUp(name: string): boolean {
    return this.#steps.get(name)?.name === 'up';
  }

  async #startOne(component: Component<Name>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#take(component.name, 'starting');
    this.#observer.starting(component.name);
    await component.start(signal);
    this.#take(component.name, 'up');
    this.#observer.ready(component.name);
  }

  async #stopOne(component: Component<Name>): Promise<void> {
    this.#take(component.name, 'stopping');
    await component.stop();
    this.#take(component.name, 'stopped');
  }

  async #restartOne(name: Name): Promise<void> {
    const component = this.#byName.get(name);
    if (component === undefined) throw new TypeError(`no component is named ${name}`);
    await component.stop();
    this.#ending.signal.throwIfAborted(); // its end is what is wanted now
    this.#take(name, 'starting');
    await component.start(this.#ending.signal);
    this.#take(name, 'up');
  }

  #conditionOf(component: Component<Name>): Condition {
    const own = component.health();
    const step = this.#steps.get(component.name);
    if (step === undefined || step.name === 'up') return own;
    const lastTransitionTime = step.since;
    switch (step.name) {
      case 'stopped':
        return { status: 'False', reason: 'Stopped', message: '', lastTransitionTime };
      case 'stopping': {
        const message = own.message === '' ? 'its stop takes long' : own.message;
        return { ...own, status: 'False', reason: 'Stopping', message, lastTransitionTime };
      }
      case 'waiting': {
        const missing = component.after.filter((name) => !this.#isUp(name));
        return { status: 'Unknown', reason: 'Waiting', message: `waits for ${missing.join(', ')}`, lastTransitionTime };
      }
      case 'starting': {
        if (own.status === 'False') return { ...own, lastTransitionTime };
        const message = own.message === '' ? 'it is at work, and its start takes long' : own.message;
        return { ...own, status: 'False', reason: 'Starting', message, lastTransitionTime };
      }
    }
  }
}

/** Does each once, when all that are `before` it are done. @returns what becomes of each */
function inOrder<Name extends string>(
  components: readonly Component<Name>[],
  before: (component: Component<Name>) => readonly Component<Name>[],
  work: (component: Component<Name>) => Promise<void>,
): readonly Promise<void>[] {
  const begun = new Map<string, Promise<void>>();
  const begin = (component: Component<Name>): Promise<void> => {
    const known = begun.get(component.name);
    if (known !== undefined) return known;
    const done = Promise.all(before(component).map(begin)).then(() => work(component));
    begun.set(component.name, done);
    return done;
  };
  return components.map(begin);
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
