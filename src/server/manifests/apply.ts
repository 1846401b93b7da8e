import { setTimeout as delay } from 'node:timers/promises';
import { isNotFound, KubeError } from '../../kube/kube.ts';
import type { KubeClient } from '../../kube/kube.ts';
import { createDiscovery } from './discovery.ts';
import { ManifestRefusedError, UnknownKindError } from './errors.ts';
import type { Located, Manifest } from './parse.ts';

/** An object that is in the cluster. */
export interface AppliedObject {
  /** Where it is deleted: `/api/v1/namespaces/default/configmaps/a`. */
  readonly path: string;
  readonly uid: string;
}

export interface Outcome {
  /** In the order in which they were applied, with whether they say that they go with their file, if they say anything of it. */
  readonly applied: readonly (AppliedObject & { readonly prune: boolean | undefined })[];
  readonly failures: readonly ManifestRefusedError[];
  /** What other field managers had set and this file has set anew, in kube-apiserver's words. */
  readonly takenOver: readonly string[];
}

export interface Applier {
  /** Applies each, those that others need first; one that is refused keeps nobody else away. */
  apply(objects: readonly Located[], signal: AbortSignal): Promise<Outcome>;
}

export const pruneAnnotation = 'kagent.sh/prune';
/** Between a definition and the first object of its kind: kube-apiserver serves it a little later. */
const definitionMs = 10_000;
const definitionRetryMs = 200;

export function createApplier(kube: KubeClient): Applier {
  const discovery = createDiscovery(kube);

  const applyOne = async (object: Manifest, signal: AbortSignal) => {
    const { apiVersion, kind, metadata } = object;
    const resource = await discovery.resourceOf(apiVersion, kind, signal);
    const namespace = resource.isNamespaced
      ? `/namespaces/${encodeURIComponent(namespaceOf(object) ?? 'default')}`
      : '';
    const path = `${resource.root}${namespace}/${resource.name}/${encodeURIComponent(metadata.name)}`;
    try {
      const { takenOver, uid } = await applyAt(kube, path, wanted(object), signal);
      return { applied: { path, uid, prune: pruneOf(object) }, takenOver };
    } catch (error) {
      if (isNotFound(error)) discovery.forget(apiVersion);
      throw error;
    }
  };

  /** Again and again for a little while where the file itself has just defined the kind. */
  const applyPatiently = async (object: Manifest, isNew: boolean, signal: AbortSignal) => {
    const endMs = performance.now() + definitionMs;
    for (;;) {
      try {
        return await applyOne(object, signal);
      } catch (error) {
        if (!isNew || !isMissingKind(error) || performance.now() > endMs) throw error;
        await delay(definitionRetryMs, undefined, { signal });
      }
    }
  };

  return {
    async apply(objects, signal) {
      const defined = new Set(objects.flatMap(({ object }) => definedKind(object)));
      const done = { applied: [] as Outcome['applied'][number][], failures: [] as ManifestRefusedError[] };
      const takenOver: string[] = [];
      for (const { object, line } of inOrder(objects)) {
        const name = nameOf(object);
        try {
          const one = await applyPatiently(object, defined.has(kindOf(object)), signal);
          done.applied.push(one.applied);
          takenOver.push(...one.takenOver.map((words) => `line ${line}: ${name}: ${words}`));
        } catch (error) {
          done.failures.push(refusedBecause(error, line, name));
        }
      }
      return { ...done, takenOver };
    },
  };
}

function pruneOf({ metadata }: Manifest): boolean | undefined {
  const said = metadata.annotations?.[pruneAnnotation];
  return said === undefined ? undefined : said === 'true';
}

/** What the file says counts, also where somebody else has said otherwise; that is told. */
async function applyAt(kube: KubeClient, path: string, object: unknown, signal: AbortSignal) {
  try {
    const { metadata } = await kube.apply(path, object, { force: false }, signal);
    return { uid: metadata.uid ?? '', takenOver: [] };
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 409) throw error;
    const { metadata } = await kube.apply(path, object, { force: true }, signal);
    return { uid: metadata.uid ?? '', takenOver: [error.detail] };
  }
}

/** @throws what is no refusal: kube-apiserver is not reached, and would not be for the others either */
function refusedBecause(error: unknown, line: number, name: string): ManifestRefusedError {
  if (error instanceof UnknownKindError)
    return new ManifestRefusedError(line, name, error.what, { remedy: error.remedy, cause: error });
  if (error instanceof KubeError) return new ManifestRefusedError(line, name, error.detail, { cause: error });
  throw error;
}

function isMissingKind(error: unknown): boolean {
  return error instanceof UnknownKindError || isNotFound(error);
}

/** Without what `kubectl get -o yaml` adds: it tells of one state of one cluster. */
function wanted(object: Manifest): unknown {
  const { status: _status, ...rest } = object;
  const {
    managedFields: _1,
    resourceVersion: _2,
    uid: _3,
    creationTimestamp: _4,
    generation: _5,
    namespace: _6,
    ...metadata
  } = object.metadata;
  const namespace = namespaceOf(object);
  return { ...rest, metadata: { ...metadata, ...(namespace !== undefined && { namespace }) } };
}

/** An empty one is none, as for kubectl. */
function namespaceOf({ metadata }: Manifest): string | undefined {
  return metadata.namespace === null || metadata.namespace === '' ? undefined : metadata.namespace;
}

/** `Deployment default/web` */
function nameOf(object: Manifest): string {
  const namespace = namespaceOf(object);
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${object.metadata.name}`;
}

/** `Toy.example.com` */
function kindOf({ apiVersion, kind }: Manifest): string {
  return apiVersion.includes('/') ? `${kind}.${apiVersion.split('/', 1).join('')}` : kind;
}

function definedKind({ kind, spec }: Manifest): readonly string[] {
  if (kind !== 'CustomResourceDefinition') return [];
  const { group, names } = (spec ?? {}) as { readonly group?: string; readonly names?: { readonly kind?: string } };
  return [`${names?.kind}.${group}`];
}

/** Namespaces and definitions before what lives in them; else as written. */
function inOrder(objects: readonly Located[]): readonly Located[] {
  const first = new Set(['Namespace', 'CustomResourceDefinition']);
  const isFirst = ({ object }: Located) => first.has(object.kind);
  return [...objects.filter(isFirst), ...objects.filter((one) => !isFirst(one))];
}
