import { readFileSync } from 'node:fs';
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { systemCode } from '../errors.ts';
import { UnreadableConfigError } from './errors.ts';

/** A YAML file that knows on which line each of its keys is. */
export interface YamlFile {
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
  const document = parseDocument(text, { lineCounter: lines, schema });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [reason = ''] = problem.message.split(' at line');
    throw new UnreadableConfigError(`${file} line ${lineAt(problem.pos[0])}`, reason);
  }
  return { document, lineAt, lineOf: (path) => lineAt(offsetOf(document, path)) };
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
