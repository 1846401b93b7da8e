import { KagentError } from '../../shared/errors.ts';

export class ManifestInvalidError extends KagentError {
  readonly code = 'MANIFEST_INVALID';
  readonly fault = 'operator';
  constructor(reason: string) {
    super(`the manifest is not usable: ${reason}`);
  }
}

export class UnknownKindError extends KagentError {
  readonly code = 'MANIFEST_KIND';
  readonly fault = 'operator';
  constructor(apiVersion: string, kind: string) {
    super(`the cluster knows no ${kind} in ${apiVersion}; check both, or apply its CustomResourceDefinition first`);
  }
}
