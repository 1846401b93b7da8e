import * as z from 'zod';
import type { KubeClient } from '../control-plane/control-plane.ts';
import { createDiscovery } from './discovery.ts';
import { ManifestInvalidError } from './errors.ts';

export interface Applier {
  /**
   * Applies each object of a YAML or JSON text, those that others need first.
   * @throws {ManifestInvalidError} @throws {UnknownKindError} @throws {KubeError} the first failure; the others were tried
   */
  apply(text: string, signal: AbortSignal): Promise<void>;
}

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
type Manifest = z.infer<typeof Manifest>;
const List = z.looseObject({ kind: z.string().endsWith('List'), items: z.array(z.unknown()) });

export function createApplier(kube: KubeClient): Applier {
  const discovery = createDiscovery(kube);
  const applyOne = async (object: Manifest, signal: AbortSignal) => {
    const { apiVersion, kind, metadata } = object;
    const resource = await discovery.resourceOf(apiVersion, kind, signal);
    const namespace = resource.isNamespaced ? `/namespaces/${encodeURIComponent(metadata.namespace ?? 'default')}` : '';
    const path = `${resource.root}${namespace}/${resource.name}/${encodeURIComponent(metadata.name)}`;
    await kube.apply(path, object, signal);
  };
  return {
    async apply(text, signal) {
      const failures: unknown[] = [];
      for (const object of inOrder(await objectsOf(text))) {
        try {
          await applyOne(object, signal);
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** @throws {ManifestInvalidError} */
async function objectsOf(text: string): Promise<readonly Manifest[]> {
  const { parseAllDocuments } = await import('yaml');
  // 1.1, as kubectl reads them: `mode: 0644` is octal there, and `on` is true.
  const documents = parseAllDocuments(text, { version: '1.1', merge: true });
  if ('empty' in documents) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new ManifestInvalidError(error.message);
    return manifestsOf(document.toJS() as unknown);
  });
}

function manifestsOf(value: unknown): readonly Manifest[] {
  if (value === null || value === undefined) return []; // a document of comments alone
  const list = List.safeParse(value);
  if (list.success) return list.data.items.flatMap(manifestsOf);
  const manifest = Manifest.safeParse(value);
  if (!manifest.success) throw new ManifestInvalidError(z.prettifyError(manifest.error));
  return [manifest.data];
}

/** Namespaces and definitions before what lives in them; else as written. */
function inOrder(objects: readonly Manifest[]): readonly Manifest[] {
  const first = new Set(['Namespace', 'CustomResourceDefinition']);
  return [...objects.filter(({ kind }) => first.has(kind)), ...objects.filter(({ kind }) => !first.has(kind))];
}
