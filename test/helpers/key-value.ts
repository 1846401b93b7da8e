import type { KeyValue } from '../../src/shared/key-value/key-value.ts';

/** The datastore, as far as kagent's own keys need it, in memory. */
export function memoryKeyValue(): KeyValue & { readonly all: ReadonlyMap<string, string> } {
  const all = new Map<string, string>();
  return {
    all,
    get: (key) => Promise.resolve(all.get(key)),
    put(key, value) {
      all.set(key, value);
      return Promise.resolve();
    },
    create(key, value) {
      if (all.has(key)) return Promise.resolve(false);
      all.set(key, value);
      return Promise.resolve(true);
    },
    delete: (key) => Promise.resolve(all.delete(key)),
    list(prefix) {
      const found = [...all].filter(([key]) => key.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1));
      return Promise.resolve({ entries: new Map(found) });
    },
  };
}
