import { isNotFound } from '../../kube/kube.ts';
import type { KubeClient } from '../../kube/kube.ts';
import { UnknownKindError } from './errors.ts';

/** Where objects of a kind are reached. */
export interface Resource {
  /** `/api/v1` or `/apis/<group>/<version>`. */
  readonly root: string;
  /** Lower-case plural: `deployments`. */
  readonly name: string;
  readonly isNamespaced: boolean;
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

/** Kinds → resources, as kube-apiserver tells them; each group is asked once, and again for a kind it lacked. */
export function createDiscovery(kube: KubeClient) {
  const known = new Map<string, ResourceList>();
  const find = (root: string, kind: string): Resource | undefined => {
    // Names with a slash are subresources: `deployments/scale` has a kind of its own.
    const found = known.get(root)?.resources.find((entry) => entry.kind === kind && !entry.name.includes('/'));
    return found === undefined ? undefined : { root, name: found.name, isNamespaced: found.namespaced };
  };
  return {
    /** @throws {UnknownKindError} */
    async resourceOf(apiVersion: string, kind: string, signal: AbortSignal): Promise<Resource> {
      const root = rootOf(apiVersion);
      const cached = find(root, kind);
      if (cached !== undefined) return cached;
      try {
        known.set(root, await kube.get<ResourceList>(root, signal));
      } catch (error) {
        if (isNotFound(error)) throw new UnknownKindError(apiVersion, kind);
        throw error;
      }
      const found = find(root, kind);
      if (found === undefined) throw new UnknownKindError(apiVersion, kind);
      return found;
    },
    /** What was known may be old: a definition can be replaced. */
    forget(apiVersion: string): void {
      known.delete(rootOf(apiVersion));
    },
  };
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
