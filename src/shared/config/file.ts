import { join } from 'node:path';
import { isMap, isScalar, visit } from 'yaml';
import type { Document } from 'yaml';
import type * as z from 'zod';
import { systemCode } from '../errors.ts';
import type { Said, Source } from './source.ts';
import { UnknownKeyError, UnreadableConfigError } from './errors.ts';
import { everySetting } from './setting.ts';
import { parseYaml, readConfigText } from './yaml.ts';
import { namesIn } from '../files/files.ts';

/**
 * `config.yaml`, then each `config.yaml.d/*.yaml` in the order of names; a key of a later file replaces, `key+` appends.
 * @param path the main file; it may be missing, unless `required`
 * @param known schemas of every mode: a key of another mode is no mistake, it is not for this one
 * @throws {UnreadableConfigError} with the line
 * @throws {UnknownKeyError} with the line and the nearest key
 */
export function fileSource(options: {
  readonly schema: z.ZodObject;
  readonly known: readonly z.ZodObject[];
  readonly path: string;
  readonly required: boolean;
}): Source {
  const { schema, known, path, required } = options;
  const keys = new Set(known.flatMap((one) => everySetting(one).map((setting) => setting.key)));
  const names = new Map(everySetting(schema).map((setting) => [setting.key, setting.name]));
  const said = new Map<string, Said>();
  for (const file of [path, ...dropIns(`${path}.d`)]) {
    const text = readConfigText(file, required && file === path);
    for (const { key, append, value, line } of entriesOf(file, text)) {
      if (!keys.has(key)) throw new UnknownKeyError(key, `${file} line ${line}`, [...keys]);
      const name = names.get(key);
      if (name === undefined) continue;
      const before = append ? toList(said.get(name)?.value) : [];
      said.set(name, { value: append ? [...before, ...toList(value)] : value, origin: `${file} line ${line}` });
    }
  }
  return said;
}

/** What these files say last of each key, whatever else is in them; nothing where they cannot be read. */
export function saidInFiles(path: string): ReadonlyMap<string, unknown> {
  try {
    const entries = [path, ...dropIns(`${path}.d`)].flatMap((file) => entriesOf(file, readConfigText(file, false)));
    return new Map(entries.map(({ key, value }) => [key, value]));
  } catch (error) {
    if (error instanceof UnreadableConfigError) return new Map();
    throw error;
  }
}

interface Entry {
  readonly key: string;
  readonly append: boolean;
  readonly value: unknown;
  readonly line: number;
}

function entriesOf(file: string, text: string): readonly Entry[] {
  // Every scalar is the text that was written: a token may look like a number.
  const { document, toJS, lineAt } = parseYaml(file, text, 'failsafe');
  if (document.contents === null) return [];
  if (!isMap(document.contents))
    throw new UnreadableConfigError(`${file} line 1`, 'it is not a list of `key: value` lines');
  nothingIsNull(document);
  const values = toJS() as Readonly<Record<string, unknown>>;
  return document.contents.items.map((pair) => {
    const written = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
    const append = written.endsWith('+');
    return {
      key: append ? written.slice(0, -1) : written,
      append,
      value: values[written],
      line: lineAt(offset),
    };
  });
}

/** `key:` and `key: ~` say nothing; a quoted text is a text. */
function nothingIsNull(document: Document): void {
  visit(document, {
    Scalar(_key, node) {
      const isNothing = node.type === 'PLAIN' && ['', '~', 'null', 'Null', 'NULL'].includes(String(node.source));
      if (isNothing) node.value = null;
    },
  });
}

function toList(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
}

function dropIns(dir: string): readonly string[] {
  try {
    return namesIn(dir)
      .filter((name) => /\.ya?ml$/.test(name))
      .toSorted()
      .map((name) => join(dir, name));
  } catch (error) {
    throw new UnreadableConfigError(dir, String(systemCode(error)), { cause: error });
  }
}
