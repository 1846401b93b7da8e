import { join } from 'node:path';
import { VolumeUnsupportedError } from './errors.ts';
import type { ClaimObject } from './objects.ts';

/** Parts of a Go template as upstream's documentation has them: a field of the claim, an annotation, a label. */
const field = /^\.PVC\.(Name|Namespace)$/;
const member = /^\.PVC\.(Annotations|Labels)\.(\w+)$/;
const indexed = /^index \.PVC\.(Annotations|Labels) "([^"]+)"$/;

/**
 * The folder of a volume below the folder of all: `pvc-<uid>_<namespace>_<name>`, or as `pattern` says.
 * @throws {VolumeUnsupportedError} for a pattern that names something else, or that leaves the folder
 */
export function volumePath(root: string, claim: ClaimObject, pattern: string | undefined): string {
  const { name, namespace = 'default', uid } = claim.metadata;
  if (pattern === undefined || pattern === '') return join(root, `pvc-${uid}_${namespace}_${name}`);
  const filled = pattern.replaceAll(/\{\{-?\s*(.*?)\s*-?\}\}/g, (_, expression: string) => valueOf(claim, expression));
  const names = filled.split('/').filter((part) => part !== '' && part !== '.');
  if (names.length === 0 || names.includes('..') || filled.includes('\0'))
    throw new VolumeUnsupportedError(
      `the pathPattern '${pattern}' makes '${filled}', which is not below ${root}`,
      'have each volume in a folder of its own: {{ .PVC.Namespace }}/{{ .PVC.Name }}',
    );
  return join(root, ...names);
}

function valueOf({ metadata }: ClaimObject, expression: string): string {
  const [, plain] = field.exec(expression) ?? [];
  if (plain !== undefined) return plain === 'Name' ? metadata.name : (metadata.namespace ?? 'default');
  const [, map, key = ''] = member.exec(expression) ?? indexed.exec(expression) ?? [];
  if (map === undefined)
    throw new VolumeUnsupportedError(
      `the pathPattern has '{{ ${expression} }}'`,
      'it may name .PVC.Name, .PVC.Namespace, and annotations and labels of the claim',
    );
  const value = (map === 'Labels' ? metadata.labels : metadata.annotations)?.[key];
  if (value === undefined || value === '')
    throw new VolumeUnsupportedError(
      `the pathPattern asks for '${expression}', which the claim does not have`,
      'give the claim that annotation or label, or take it out of the pattern',
    );
  return value;
}
