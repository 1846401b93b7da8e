import { isJson } from '../../kube/kube.ts';
import type { Json } from '../../kube/kube.ts';

/** By what the entries of a list are told apart, where a patch does not replace the list as a whole. */
const mergeKeys: Readonly<Record<string, string>> = {
  conditions: 'type',
  addresses: 'type',
  podIPs: 'ip',
  hostIPs: 'ip',
  resourceClaimStatuses: 'name',
};

/**
 * `object` after a strategic merge patch, as far as patches of a status go.
 * @see apimachinery v0.37 pkg/util/strategicpatch
 */
export function merged(object: Json, patch: Json): Json {
  const result: Record<string, unknown> = { ...object };
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$')) continue; // the order of a list's entries, which means nothing here
    if (value === null) delete result[field];
    else if (Array.isArray(value)) result[field] = mergedList(field, result[field], value as readonly unknown[]);
    else if (isJson(value)) result[field] = merged(asJson(result[field]), value);
    else result[field] = value;
  }
  return result;
}

function mergedList(field: string, before: unknown, patch: readonly unknown[]): readonly unknown[] {
  const key = mergeKeys[field];
  const entries = patch.filter(isJson);
  if (key === undefined || entries.length < patch.length) return patch;
  const directive = (entry: Json) => entry['$patch'];
  if (entries.some((entry) => directive(entry) === 'replace')) return entries.filter((entry) => !directive(entry));
  const result = new Map<unknown, Json>();
  for (const entry of Array.isArray(before) ? before.filter(isJson) : []) result.set(entry[key], entry);
  for (const entry of entries) {
    if (directive(entry) === 'delete') result.delete(entry[key]);
    else result.set(entry[key], merged(result.get(entry[key]) ?? {}, entry));
  }
  return [...result.values()];
}

function asJson(value: unknown): Json {
  return isJson(value) ? value : {};
}
