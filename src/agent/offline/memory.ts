import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { readFileIfReadable, writeFileAtomicSync } from '../../shared/files/files.ts';
import { parseJson } from '../../shared/json/json.ts';
import { isJson, keyOf } from '../../kube/kube.ts';
import type { KubeObject } from '../../kube/kube.ts';
import type { Resource } from './resources.ts';

/** What is known of a resource. */
export interface Remembered {
  /** Of the list the items came with: a real one, from the past. Empty for what was read one by one. */
  readonly resourceVersion: string;
  readonly items: readonly KubeObject[];
  /** Keys of what pods name and the server did not have: the kubelet does without it if the pod says so. */
  readonly absent: readonly string[];
}

export interface Memory {
  /** undefined: nothing is known, which is not the same as that there is nothing. */
  load(resource: Resource): Remembered | undefined;
  /** Writes if something has changed. @throws {Error} if it cannot: then nothing is known of it any more */
  save(resource: Resource, remembered: Remembered): void;
  forget(): void;
}

const MemoryFile = z.object({
  /** Hash of the CA: another cluster's objects are not this one's. */
  cluster: z.string(),
  nodeName: z.string(),
  resourceVersion: z.string(),
  items: z.array(z.custom<KubeObject>((value) => isJson(value) && isJson(value['metadata']))),
  absent: z.array(z.string()),
});

const maxFileBytes = 32 * 1024 * 1024;

/** One file for each resource, mode 0600: Secrets are among them. */
export function createMemory(options: {
  readonly dir: string;
  readonly cluster: () => { readonly caHash: string; readonly nodeName: string };
}): Memory {
  const { dir, cluster } = options;
  const pathOf = (resource: Resource) => join(dir, `${resource.name}.json`);

  const load = (resource: Resource): Remembered | undefined => {
    const text = readFileIfReadable(pathOf(resource));
    if (text === undefined) return undefined;
    try {
      const file = MemoryFile.parse(parseJson(text));
      const { caHash, nodeName } = cluster();
      return file.cluster === caHash && file.nodeName === nodeName ? file : undefined;
    } catch {
      return undefined; // damaged: the server will say it again
    }
  };

  return {
    load,
    save(resource, { resourceVersion, items, absent }) {
      const { caHash, nodeName } = cluster();
      const kept = { items: items.map(essence), absent: [...absent].toSorted() };
      const known = load(resource);
      if (known !== undefined && fingerprint(known) === fingerprint(kept)) return;
      const text = JSON.stringify({ cluster: caHash, nodeName, resourceVersion, ...kept });
      try {
        if (text.length > maxFileBytes) throw new RangeError(`${resource.name} would take ${text.length} bytes`);
        writeFileAtomicSync(pathOf(resource), text, 0o600);
      } catch (error) {
        rmSync(pathOf(resource), { force: true }); // what is outdated would end pods that run
        throw error;
      }
    },
    forget: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Without what only costs room and changes all the time. */
function essence(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  const { status } = object;
  const isNode = isJson(status) && 'nodeInfo' in status;
  if (!isNode) return { ...object, metadata };
  const { images: __, ...rest } = status;
  const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isJson) : [];
  const withoutHeartbeats = conditions.map(({ lastHeartbeatTime: _beat, ...condition }) => condition);
  return { ...object, metadata, status: { ...rest, conditions: withoutHeartbeats } };
}

/** The same for the same content, whatever the resourceVersions are. */
function fingerprint({ items, absent }: Pick<Remembered, 'items' | 'absent'>): string {
  const contents = items.map((item) => [
    keyOf(item),
    { ...item, metadata: { ...item.metadata, resourceVersion: undefined } },
  ]);
  return JSON.stringify([contents, absent]);
}
