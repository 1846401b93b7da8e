import type { KeyValue } from '../../src/server/join/join.ts';

/** The datastore, as far as joining needs it, in memory. */
export function memoryKeyValue(): KeyValue & { readonly all: ReadonlyMap<string, string> } {
  const all = new Map<string, string>();
  return {
    all,
    get: (key) => Promise.resolve(all.get(key)),
    create(key, value) {
      if (all.has(key)) return Promise.resolve(false);
      all.set(key, value);
      return Promise.resolve(true);
    },
  };
}
