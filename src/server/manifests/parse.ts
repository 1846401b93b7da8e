import { setImmediate as otherWork } from 'node:timers/promises';
import * as z from 'zod';
import { ManifestInvalidError } from './errors.ts';

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
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

/** The objects of a YAML or JSON text. @throws {ManifestInvalidError} with the line */
export async function objectsOf(text: string): Promise<readonly Located[]> {
  const { LineCounter, parseAllDocuments } = await import('yaml');
  const found: Located[] = [];
  let before = 0;
  // One document at a time, as kubectl does: megabytes of them keep nobody waiting.
  for (const part of text.split(/^(?=---(?:\s|$))/m)) {
    const lines = new LineCounter();
    const lineAt = (offset: number) => before + Math.max(1, lines.linePos(offset).line);
    // 1.1, as kubectl reads them: `mode: 0644` is octal there, and `on` is true.
    const documents = refusing(before + 1, () =>
      parseAllDocuments(part, { version: '1.1', merge: true, lineCounter: lines }),
    );
    for (const document of 'empty' in documents ? [] : documents) {
      const [error] = document.errors;
      if (error !== undefined) throw new ManifestInvalidError(lineAt(error.pos[0]), reasonOf(error.message));
      const line = lineAt(document.contents?.range?.[0] ?? 0);
      const value = refusing(line, () => document.toJS() as unknown);
      found.push(...manifestsOf(value, line).map((object) => ({ object, line })));
    }
    before += part.split('\n').length - 1;
    await otherWork();
  }
  return found;
}

/** Aliases of aliases that would fill the memory, and brackets without end, are mistakes of that file alone. */
function refusing<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReferenceError) throw new ManifestInvalidError(line, error.message);
    if (error instanceof RangeError) throw new ManifestInvalidError(line, 'it is nested too deeply');
    throw error;
  }
}

/** The parser's words without the lines of the file it adds. */
function reasonOf(message: string): string {
  return message.split(' at line')[0] ?? message;
}

function manifestsOf(value: unknown, line: number): readonly Manifest[] {
  if (value === null || value === undefined) return []; // a document of comments alone
  const list = List.safeParse(value);
  if (list.success) return list.data.items.flatMap((item) => manifestsOf(item, line));
  const manifest = Manifest.safeParse(value);
  if (manifest.success) return [manifest.data];
  const [issue] = manifest.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ManifestInvalidError(line, `no Kubernetes object: ${where === '' ? '' : `${where}: `}${issue?.message}`);
}
