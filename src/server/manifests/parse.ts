import { setImmediate as otherWork } from 'node:timers/promises';
import * as z from 'zod';
import { ManifestInvalidError } from './errors.ts';
import { jsonObjects } from './json-objects.ts';
import { asWritten, valueOf, YamlValueError } from './yaml-value.ts';

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().nullish(),
    annotations: z.record(z.string(), z.unknown()).nullish(),
  }),
});
export type Manifest = z.infer<typeof Manifest>;
const List = z.looseObject({ kind: z.string().endsWith('List'), items: z.array(z.unknown()) });

/** An object and the line of its file at which its document begins. */
export interface Located {
  readonly object: Manifest;
  readonly line: number;
}

/** The objects of a YAML or JSON text, as kubectl reads it. @throws {ManifestInvalidError} with the line */
export async function objectsOf(text: string): Promise<readonly Located[]> {
  const content = text.replace(/^\uFEFF/, '');
  const json = /^\s*\{/.test(content) ? jsonObjects(content) : undefined;
  if (json === undefined) return yamlObjects(content);
  return json.flatMap(({ value, offset }) => {
    const line = linesIn(content.slice(0, offset)) + 1;
    return manifestsOf(value, line).map((object) => ({ object, line }));
  });
}

async function yamlObjects(text: string): Promise<readonly Located[]> {
  const yaml = await import('yaml');
  const found: Located[] = [];
  let before = 0;
  // One document at a time, as kubectl does: megabytes of them keep nobody waiting.
  for (const part of text.split(/^(?=---(?:\s|$))/m)) {
    const lines = new yaml.LineCounter();
    const lineAt = (offset: number) => before + Math.max(1, lines.linePos(offset).line);
    const documents = refusing(before + 1, () =>
      yaml.parseAllDocuments(part, { ...asWritten, prettyErrors: false, lineCounter: lines }),
    );
    for (const document of 'empty' in documents ? [] : documents) {
      const [error] = document.errors;
      if (error !== undefined) throw new ManifestInvalidError(lineAt(error.pos[0]), error.message);
      const line = lineAt(document.contents?.range?.[0] ?? 0);
      const value = refusing(line, () => valueOf(yaml, document), lineAt);
      found.push(...manifestsOf(value, line).map((object) => ({ object, line })));
    }
    before += linesIn(part);
    await otherWork();
  }
  return found;
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

/** Aliases of aliases that would fill the memory, and brackets without end, are mistakes of that file alone. */
function refusing<T>(line: number, read: () => T, lineAt?: (offset: number) => number): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof YamlValueError) {
      const at = error.offset === undefined ? line : (lineAt?.(error.offset) ?? line);
      throw new ManifestInvalidError(at, error.message);
    }
    if (error instanceof RangeError) throw new ManifestInvalidError(line, 'it is nested too deeply');
    throw error;
  }
}

function manifestsOf(value: unknown, line: number): readonly Manifest[] {
  if (value === null || value === undefined) return []; // a document of comments alone
  const list = List.safeParse(value);
  if (list.success) return list.data.items.flatMap((item) => manifestsOf(item, line));
  const manifest = Manifest.safeParse(value);
  if (manifest.success) return [value as Manifest]; // as it was read: a copy would leave out `__proto__`
  const [issue] = manifest.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ManifestInvalidError(line, `no Kubernetes object: ${where === '' ? '' : `${where}: `}${issue?.message}`);
}
