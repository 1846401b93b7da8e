import { once } from 'node:events';
import type { KubeClient } from '../../src/kube/kube.ts';
import type { NodeObject } from '../../src/server/nodes/nodes.ts';

export interface FakeNodes extends KubeClient {
  /** A Node registers, or changes. */
  put(node: NodeObject): void;
  node(name: string): NodeObject | undefined;
  conditions(name: string): readonly string[];
  readonly events: { readonly reason: string; readonly message: string }[];
  readonly deleted: string[];
  /** How often somebody began to watch. */
  watches(): number;
  /** Ends the present watch. */
  fail(error: Error): void;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

/** kube-apiserver, as far as Nodes go: a list, a watch, patches of the status, events. */
export function fakeNodes(): FakeNodes {
  const nodes = new Map<string, NodeObject>();
  const changes = new EventTarget();
  const events: FakeNodes['events'] = [];
  const deleted: string[] = [];
  let watches = 0;
  let failure = new AbortController();
  const nobody = (path: string) => Promise.reject(new Error(`nobody asks for ${path} here`));
  const nameOf = (path: string) => path.split('/')[4] ?? '';
  const put = (node: NodeObject) => {
    nodes.set(node.metadata.name, node);
    changes.dispatchEvent(new CustomEvent('change', { detail: node }));
  };
  return {
    put,
    events,
    deleted,
    watches: () => watches,
    fail: (error) => failure.abort(error),
    conditions: (name) =>
      (nodes.get(name)?.status?.conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    node: (name) => nodes.get(name),
    get<T>(path: string) {
      const all = path.startsWith('/api/v1/pods') ? [] : [...nodes.values()];
      const one = nodes.get(nameOf(path));
      return Promise.resolve((one ?? { metadata: { resourceVersion: '1' }, items: all }) as T);
    },
    find: nobody,
    mergePatch(path, patch) {
      const node = nodes.get(nameOf(path));
      if (node === undefined) return nobody(path);
      put(merged(node, patch) as NodeObject);
      return Promise.resolve(node);
    },
    apply: nobody,
    strategicPatch(path, patch) {
      const node = nodes.get(nameOf(path));
      if (node === undefined) return nobody(path);
      const { conditions } = (patch as { readonly status: { readonly conditions: readonly Condition[] } }).status;
      const types = new Set(conditions.map(({ type }) => type));
      const kept = (node.status?.conditions ?? []).filter(({ type }) => !types.has(type));
      put({ ...node, status: { ...node.status, conditions: [...kept, ...conditions] } });
      return Promise.resolve(node);
    },
    create(_path, object) {
      events.push(object as FakeNodes['events'][number]);
      return Promise.resolve({ metadata: { name: '' } });
    },
    delete(path) {
      deleted.push(nameOf(path));
      return Promise.resolve();
    },
    async *watch<T>(_path: string, stop: AbortSignal) {
      watches += 1;
      failure = new AbortController();
      const signal = AbortSignal.any([stop, failure.signal]);
      while (!signal.aborted) {
        const [event] = (await once(changes, 'change', { signal })) as [CustomEvent<NodeObject>];
        yield { type: 'MODIFIED' as const, object: event.detail as T };
      }
    },
    metadata: (path) => Promise.reject(new Error(`nobody lists ${path} here`)),
    reconnect: () => {},
    close: () => {},
  };
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const before = Object.entries((target ?? {}) as Readonly<Record<string, unknown>>);
  const result = new Map(before);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, merged(result.get(key), value));
  }
  return Object.fromEntries(result);
}
