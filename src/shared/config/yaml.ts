import { readFileSync } from 'node:fs';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { systemCode } from '../errors.ts';
import { UnreadableConfigError } from './errors.ts';

/** A YAML file that knows on which line each of its keys is. */
export interface YamlFile {
  /** What the file says, with anchors and aliases resolved. @throws {UnreadableConfigError} where they have no end */
  readonly toJS: () => unknown;
  readonly document: Document.Parsed;
  readonly lineAt: (offset: number) => number;
  /** Of the key at the end of `path`; of the nearest one above it that is there. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/**
 * @param schema `failsafe`: every scalar stays the text that was written
 * @throws {UnreadableConfigError} with the line
 */
export function parseYaml(file: string, text: string, schema: 'core' | 'failsafe' = 'core'): YamlFile {
  const lines = new LineCounter();
  const document = refusing(file, () => parseDocument(text, { lineCounter: lines, schema, prettyErrors: false }));
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new UnreadableConfigError(`${file} line ${lineAt(problem.pos[0])}`, problem.message);
  }
  const toJS = () => refusing(file, () => document.toJS() as unknown);
  return { document, toJS, lineAt, lineOf: (path) => lineAt(offsetOf(document, path)) };
}

/** The library's own refusals: aliases of aliases that would fill the memory, one that is in itself, brackets without end. */
function refusing<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReferenceError) throw new UnreadableConfigError(file, error.message, { cause: error });
    if (error instanceof RangeError) throw new UnreadableConfigError(file, 'it is nested too deeply', { cause: error });
    throw error;
  }
}

/** An empty text where the file is not there and need not be. @throws {UnreadableConfigError} */
export function readConfigText(path: string, required: boolean): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && !required) return '';
    throw new UnreadableConfigError(path, `it cannot be read (${systemCode(error)})`, { cause: error });
  }
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  const key = path.at(-1);
  if (key === undefined) return 0;
  const above = path.slice(0, -1);
  const parent: unknown = above.length === 0 ? document.contents : document.getIn(above, true);
  const pair = isMap(parent) ? parent.items.find((one) => isScalar(one.key) && one.key.value === key) : undefined;
  const child: unknown = pair?.key ?? document.getIn(path, true);
  const offset = isNode(child) ? child.range?.[0] : undefined;
  return offset ?? offsetOf(document, above);
}
