/** Which prefixes hold how much: a walk over the index in short steps. */
import type { KeyEntry, KeyIndex } from './key-index.ts';
import type { Mutable, PrefixUsage, Revision } from './shapes.ts';

/** Keys looked at in one turn of the event loop: a millisecond or two. */
const stepKeys = 2000;

export async function measureUsage(
  index: KeyIndex,
  depth: number,
  sinceRevision: Revision,
): Promise<readonly PrefixUsage[]> {
  const usages = new Map<string, Mutable<PrefixUsage>>();
  let from: string | undefined = '';
  while (from !== undefined) {
    from = step(index, from, (entry) => count(usageOf(usages, prefixOf(entry.key, depth)), entry, sinceRevision));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [...usages.values()];
}

/** @returns the key to continue from; undefined at the end */
function step(index: KeyIndex, from: string, onEntry: (entry: KeyEntry) => void): string | undefined {
  let left = stepKeys;
  let next: string | undefined;
  index.visit({ from, to: undefined, isSingle: false }, (entry) => {
    if (left === 0) {
      next = entry.key;
      return false;
    }
    left -= 1;
    onEntry(entry);
    return true;
  });
  return next;
}

function usageOf(usages: Map<string, Mutable<PrefixUsage>>, prefix: string): Mutable<PrefixUsage> {
  let usage = usages.get(prefix);
  if (usage === undefined) {
    usage = { prefix, keys: 0, sizeBytes: 0, oldVersions: 0, oldSizeBytes: 0, writes: 0 };
    usages.set(prefix, usage);
  }
  return usage;
}

function count(usage: Mutable<PrefixUsage>, { versions }: KeyEntry, sinceRevision: Revision): void {
  const newest = versions.at(-1);
  for (const version of versions) {
    if (version.revision > sinceRevision) usage.writes += 1;
    if (version === newest && version.version > 0) {
      usage.keys += 1;
      usage.sizeBytes += version.sizeBytes;
    } else {
      usage.oldVersions += 1;
      usage.oldSizeBytes += version.sizeBytes;
    }
  }
}

/** `/registry/pods/default/a` at depth 2: `/registry/pods/`; a key with fewer parts is its own prefix. */
export function prefixOf(key: string, depth: number): string {
  let end = 0;
  for (let part = 0; part < depth; part += 1) {
    const slash = key.indexOf('/', end + (part === 0 ? 1 : 0));
    if (slash < 0) return key;
    end = slash + 1;
  }
  return key.slice(0, end);
}
