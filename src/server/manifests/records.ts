import * as z from 'zod';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

/** What a file has in the cluster that goes with it. */
const ManifestRecord = z.object({
  /** One of kagent's own files. */
  isPackaged: z.boolean(),
  hash: z.string(),
  /** In the order in which they were applied. */
  objects: z.array(z.object({ path: z.string(), uid: z.string() })),
});
export type ManifestRecord = Readonly<z.infer<typeof ManifestRecord>>;

export interface Records {
  all(): ReadonlyMap<string, ManifestRecord>;
  set(file: string, record: ManifestRecord): Promise<void>;
  delete(file: string): Promise<void>;
}

/** Under `/kagent/manifests/<node>/<file>`, so that it outlives a restart; each server has a folder of its own. */
export async function openRecords(store: KeyValue, nodeName: string): Promise<Records> {
  const prefix = `/kagent/manifests/${nodeName}/`;
  const { entries } = await store.list(prefix);
  const all = new Map(
    [...entries].flatMap(([key, text]) => {
      const { data } = ManifestRecord.safeParse(JSON.parse(text)); // of another version: as if there were none
      return data === undefined ? [] : [[key.slice(prefix.length), data]];
    }),
  );
  return {
    all: () => all,
    async set(file, record) {
      const text = JSON.stringify(record);
      if (text === JSON.stringify(all.get(file))) return;
      await store.put(prefix + file, text);
      all.set(file, record);
    },
    async delete(file) {
      await store.delete(prefix + file);
      all.delete(file);
    },
  };
}
