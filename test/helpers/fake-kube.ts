import { KubeError } from '../../src/kube/kube.ts';
import type { KubeClient } from '../../src/kube/kube.ts';

interface ResourceEntry {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface FakeKube extends KubeClient {
  /** Every successful apply, in order. */
  readonly applied: { readonly path: string; readonly object: unknown }[];
  /** What discovery answers. */
  readonly resources: Map<string, readonly ResourceEntry[]>;
  /** Thrown by the next applies, one each. */
  readonly failures: Error[];
  /** And by the next deletions. */
  readonly deleteFailures: Error[];
  /** Paths of objects that are there, with their uids. */
  readonly present: Map<string, string>;
  readonly deleted: string[];
  readonly created: { readonly path: string; readonly object: unknown }[];
  /** Paths of objects with fields somebody else has set. */
  readonly owned: Set<string>;
}

/** A cluster that knows Namespaces and ConfigMaps and keeps what is applied. */
export function fakeKube(): FakeKube {
  const resources = new Map<string, readonly ResourceEntry[]>([
    [
      '/api/v1',
      [
        { name: 'namespaces', kind: 'Namespace', namespaced: false },
        { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
      ],
    ],
  ]);
  const applied: FakeKube['applied'] = [];
  const failures: Error[] = [];
  const deleteFailures: Error[] = [];
  const present = new Map<string, string>();
  const deleted: string[] = [];
  const created: FakeKube['created'] = [];
  const owned = new Set<string>();
  let made = 0;
  return {
    applied,
    resources,
    failures,
    deleteFailures,
    present,
    deleted,
    created,
    owned,
    get: <T>(path: string) => {
      const found = resources.get(path);
      if (found === undefined) return Promise.reject(new KubeError(`GET ${path}`, 404, 'not found'));
      return Promise.resolve({ resources: found } as T);
    },
    find: () => Promise.resolve(undefined),
    metadata: (path) => Promise.reject(new Error(`nobody lists ${path} here`)),
    mergePatch: (path) => Promise.reject(new Error(`nobody patches ${path} here`)),
    strategicPatch: (path) => Promise.reject(new Error(`nobody patches ${path} here`)),
    create(path, object) {
      created.push({ path, object });
      return Promise.resolve({ metadata: { name: '' } });
    },
    apply(path, object, { force }) {
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      if (!force && owned.has(path))
        return Promise.reject(new KubeError(`PATCH ${path}`, 409, 'conflict with "kubectl-edit"'));
      applied.push({ path, object });
      const uid = present.get(path) ?? `uid-${++made}`;
      present.set(path, uid);
      return Promise.resolve({ metadata: { name: '', uid } });
    },
    delete(path, { uid } = {}) {
      const failure = deleteFailures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      const found = present.get(path);
      if (found === undefined) return Promise.reject(new KubeError(`DELETE ${path}`, 404, 'not found'));
      if (uid !== undefined && uid !== found) return Promise.reject(new KubeError(`DELETE ${path}`, 409, 'other uid'));
      present.delete(path);
      deleted.push(path);
      return Promise.resolve();
    },
    async *watch() {},
    reconnect: () => {},
    close: () => {},
  };
}
