import { Listeners } from '../shared/listeners.ts';
import type { KubeClient } from './client.ts';
import { keyOf } from './objects.ts';
import type { KubeObject } from './objects.ts';

/** `before` is missing of an object that is new, `after` of one that is gone. */
export interface ObjectChange<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** The objects of one list of the API, kept in step with it by a watch. */
export class Reflector<T extends KubeObject> {
  readonly #path: string;
  readonly #kept: (object: T) => T;
  readonly #objects = new Map<string, T>();
  readonly #changed = new Listeners<ObjectChange<T>>();

  /** @param path as of `KubeClient.watch`, with its query @param kept what is kept of each object; all of it unless said */
  constructor(path: string, kept: (object: T) => T = (object) => object) {
    this.#path = path;
    this.#kept = kept;
  }

  onChange(listener: (change: ObjectChange<T>) => void): void {
    this.#changed.add(listener);
  }

  /** @param key as `keyOf` has it */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** Sorted by their keys. */
  all(): readonly T[] {
    return [...this.#objects].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** One watch, which the server ends after some minutes; the next begins with everything anew. `onListed`: it goes well. */
  async follow(kube: KubeClient, onListed: () => void, signal: AbortSignal): Promise<void> {
    const gone = new Set(this.#objects.keys());
    const { metadata, items } = await kube.get<{
      readonly metadata: { readonly resourceVersion: string };
      readonly items: readonly T[];
    }>(this.#path, signal);
    for (const object of items) {
      gone.delete(keyOf(object));
      this.#set(object);
    }
    for (const key of gone) this.#remove(key);
    onListed();
    const separator = this.#path.includes('?') ? '&' : '?';
    const from = `${this.#path}${separator}resourceVersion=${metadata.resourceVersion}`;
    for await (const { type, object } of kube.watch<T>(from, signal)) {
      if (type === 'DELETED') this.#remove(keyOf(object));
      else if (type !== 'BOOKMARK') this.#set(object);
    }
  }

  #set(whole: T): void {
    const object = this.#kept(whole);
    const before = this.#objects.get(keyOf(object));
    this.#objects.set(keyOf(object), object);
    this.#changed.tell({ before, after: object });
  }

  #remove(key: string): void {
    const before = this.#objects.get(key);
    this.#objects.delete(key);
    this.#changed.tell({ before, after: undefined });
  }
}
