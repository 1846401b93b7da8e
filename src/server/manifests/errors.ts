import { KagentError } from '../../shared/errors.ts';

export class ManifestInvalidError extends KagentError {
  readonly code = 'MANIFEST_INVALID';
  readonly fault = 'operator';
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
  }
}

/** What manifests of an older k3s have, and where it is now. */
const renamed: Readonly<Record<string, string>> = {
  'extensions/v1beta1': 'networking.k8s.io/v1 or apps/v1',
  'networking.k8s.io/v1beta1': 'networking.k8s.io/v1',
  'traefik.containo.us/v1alpha1': 'traefik.io/v1alpha1',
};

export class UnknownKindError extends KagentError {
  readonly code = 'MANIFEST_KIND';
  readonly fault = 'operator';
  constructor(apiVersion: string, kind: string) {
    const now = renamed[apiVersion];
    super(`the cluster knows no ${kind} in ${apiVersion}`, {
      remedy:
        now === undefined
          ? 'check both, or apply its CustomResourceDefinition first'
          : `its kinds are in ${now} now, with other fields where they have changed`,
    });
  }
}

/** kube-apiserver, or a webhook it asks, does not take an object; in its own words. */
export class ManifestRefusedError extends KagentError {
  readonly code = 'MANIFEST_REFUSED';
  readonly fault = 'operator';
  constructor(
    line: number,
    object: string,
    reason: string,
    options: { readonly remedy?: string | undefined; readonly cause: unknown },
  ) {
    super(`line ${line}: ${object}: ${reason}`, options);
  }
}

export class ManifestUnreadableError extends KagentError {
  readonly code = 'MANIFEST_UNREADABLE';
  readonly fault = 'operator';
  constructor(reason: string, options: { readonly cause: unknown }) {
    super(`it cannot be read (${reason})`, options);
  }
}

export class PruneError extends KagentError {
  readonly code = 'MANIFEST_PRUNE';
  readonly fault = 'operator';
  constructor(path: string, reason: string, options: { readonly cause: unknown }) {
    super(`${path}, which it no longer has, is not removed: ${reason}`, options);
  }
}
