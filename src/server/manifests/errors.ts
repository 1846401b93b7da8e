import { KagentError } from '../../shared/errors.ts';

export class ManifestInvalidError extends KagentError {
  readonly code = 'MANIFEST_INVALID';
  readonly fault = 'operator';
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
  }
}

export class UnknownKindError extends KagentError {
  readonly code = 'MANIFEST_KIND';
  readonly fault = 'operator';
  constructor(apiVersion: string, kind: string) {
    super(`the cluster knows no ${kind} in ${apiVersion}`, {
      remedy: 'check both, or apply its CustomResourceDefinition first',
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
