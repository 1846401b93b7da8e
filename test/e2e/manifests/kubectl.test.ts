/** Manifests mean to kagent what they mean to kubectl. `KAGENT_TEST_DOCUMENTS` says how many are compared. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectsOf } from '../../../src/server/manifests/parse.ts';
import { isExactNumber } from '../../../src/shared/json/json.ts';
import { kubectlReader } from '../../helpers/kubectl-reader.ts';
import type { KubectlReader } from '../../helpers/kubectl-reader.ts';
import { manifestFile } from '../../helpers/yaml-documents.ts';

const documents = Number(process.env['KAGENT_TEST_DOCUMENTS'] ?? 500);
const perRun = 100;

/** The same text for the same object, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part) || isExactNumber(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** With the namespace it is applied in. */
async function readByKagent(file: string): Promise<readonly string[] | string> {
  try {
    const found = await objectsOf(file);
    return found.map(({ object }) => {
      const namespace = object.metadata.namespace || 'default';
      return canonical({ ...object, metadata: { ...object.metadata, namespace } });
    });
  } catch (error) {
    return String(error);
  }
}

/** What both make of a file, where they do not make the same of it. */
async function differences(reader: KubectlReader, files: readonly string[]): Promise<readonly unknown[]> {
  const theirs = await reader.read(files);
  const found = [];
  for (const [index, file] of files.entries()) {
    const { objects, refusal } = theirs[index] ?? { objects: [], refusal: 'kubectl said nothing' };
    const kagent = await readByKagent(file);
    const kubectl = refusal ?? objects.map(canonical);
    const isSame = typeof kagent === 'string' ? refusal !== undefined : canonical(kagent) === canonical(kubectl);
    if (!isSame) found.push({ file, kagent, kubectl });
  }
  return found;
}

test(
  'any file is read as kubectl reads it, or refused as by kubectl',
  { timeout: 120_000 + documents * 300 },
  async () => {
    const reader = await kubectlReader();
    const files = fc.tuple(...Array.from({ length: perRun }, (_, index) => manifestFile(index)));
    await fc.assert(
      fc.asyncProperty(files, async (some) => {
        expect(await differences(reader, some)).toEqual([]);
      }),
      { numRuns: Math.ceil(documents / perRun), endOnFailure: true }, // a counterexample is one file of the many already
    );
  },
);
