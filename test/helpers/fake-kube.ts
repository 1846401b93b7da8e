import { KubeError, type KubeClient } from '../../src/server/control-plane/control-plane.ts';

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
  return {
    applied,
    resources,
    failures,
    get: <T>(path: string) => {
      const found = resources.get(path);
      if (found === undefined) return Promise.reject(new KubeError(`GET ${path}`, 404, 'not found'));
      return Promise.resolve({ resources: found } as T);
    },
    find: () => Promise.resolve(undefined),
    mergePatch: (path) => Promise.reject(new Error(`nobody patches ${path} here`)),
    strategicPatch: (path) => Promise.reject(new Error(`nobody patches ${path} here`)),
    create: (path) => Promise.reject(new Error(`nobody creates at ${path} here`)),
    apply(path, object) {
      const failure = failures.shift();
      if (failure !== undefined) return Promise.reject(failure);
      applied.push({ path, object });
      return Promise.resolve({ metadata: { name: '' } });
    },
    delete: () => Promise.resolve(),
    async *watch() {},
    reconnect: () => {},
  };
}
