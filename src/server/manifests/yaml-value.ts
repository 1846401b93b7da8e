/** The value of a YAML document as kubectl has it: kinds of scalars, keys, merges and aliases. */
import type * as YamlLibrary from 'yaml';
import type { Alias, Document, Node, YAMLMap, YAMLSeq } from 'yaml';
import { jsonInteger } from '../../shared/json/json.ts';
import { keyText, ScalarError, scalarValue } from './scalar.ts';
import type { ScalarValue } from './scalar.ts';

/** What is wrong, and the offset in the text. */
export class YamlValueError extends Error {
  readonly offset: number | undefined;
  constructor(message: string, node: Node | undefined) {
    super(message);
    this.offset = node?.range?.[0];
  }
}

/** Every scalar stays the text that was written; keys may be written twice, and the last one counts. */
export const asWritten = {
  version: '1.1',
  schema: 'failsafe',
  resolveKnownTags: false,
  merge: false,
  uniqueKeys: false,
} as const;

/**
 * @param document parsed with `asWritten`
 * @throws {YamlValueError} for what JSON or kubectl does not have
 */
export function valueOf(yaml: typeof YamlLibrary, document: Document.Parsed): unknown {
  return new Reader(yaml, document).value(document.contents);
}

class Reader {
  readonly #yaml: typeof YamlLibrary;
  readonly #document: Document.Parsed;
  readonly #open = new Set<Node>();
  readonly #anchors: ReadonlyMap<Alias, Node | undefined>;
  #count = 0;
  #aliasCount = 0;
  #aliasDepth = 0;

  constructor(yaml: typeof YamlLibrary, document: Document.Parsed) {
    this.#yaml = yaml;
    this.#document = document;
    this.#anchors = anchorsOf(yaml, document);
  }

  value(node: unknown): unknown {
    return this.#asJson(this.#read(node), node);
  }

  #asJson(value: unknown, node: unknown): unknown {
    if (typeof value === 'bigint') return jsonInteger(value);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new YamlValueError(`JSON has no number ${value}`, this.#nodeOf(node));
    }
    return value;
  }

  /** Integers are bigints. */
  #read(node: unknown): unknown {
    const { isAlias, isMap, isSeq, isScalar } = this.#yaml;
    this.#note(node);
    if (isAlias(node)) return this.#within(node, (target) => this.#read(target));
    if (isMap(node)) return this.#object(node);
    if (isSeq(node)) return node.items.map((item) => this.value(item));
    if (!isScalar(node)) return null; // a key without a value
    const text = node.source ?? '';
    const isPlain = node.type === undefined || node.type === 'PLAIN';
    return asError(node, () => scalarValue(text, node.tag, isPlain));
  }

  #object(map: YAMLMap): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#addTo(entries, map);
    return Object.fromEntries([...entries].map(([key, value]) => [key, this.#asJson(value, map)])); // `__proto__` too
  }

  /** In the order in which they are written: what a merge brings replaces what stands above it. */
  #addTo(entries: Map<string, unknown>, map: YAMLMap): void {
    for (const { key, value } of map.items) {
      if (this.#isMerge(key)) this.#merge(entries, value);
      else entries.set(this.#key(key), this.#read(value));
    }
  }

  #key(node: unknown): string {
    const key = this.#read(node);
    if (typeof key === 'object' && key !== null)
      throw new YamlValueError('a key is a list or an object', this.#nodeOf(node));
    return asError(this.#nodeOf(node), () => keyText(key as ScalarValue));
  }

  #isMerge(key: unknown): boolean {
    if (!this.#yaml.isScalar(key) || key.source !== '<<') return false;
    return key.tag === 'tag:yaml.org,2002:merge' || (key.tag === undefined && key.type === 'PLAIN');
  }

  #merge(entries: Map<string, unknown>, from: unknown): void {
    const { isAlias, isMap, isSeq } = this.#yaml;
    this.#note(from);
    const brought = isSeq(from) ? [...(from as YAMLSeq).items].reverse() : [from]; // earlier ones have precedence
    for (const one of brought) {
      const add = (target: unknown) => {
        if (!isMap(target)) throw new YamlValueError("'<<' wants an object, or a list of them", this.#nodeOf(one));
        this.#note(target);
        this.#addTo(entries, target);
      };
      if (isAlias(one)) this.#within(one, add);
      else add(one);
    }
  }

  #within<T>(alias: Alias, read: (target: Node) => T): T {
    const target = this.#anchors.get(alias);
    if (target === undefined) throw new YamlValueError(`there is no anchor '${alias.source}' above it`, alias);
    if (this.#open.has(target)) throw new YamlValueError(`the anchor '${alias.source}' contains itself`, alias);
    this.#open.add(target);
    this.#aliasDepth += 1;
    const value = read(target);
    this.#aliasDepth -= 1;
    this.#open.delete(target);
    return value;
  }

  /** Aliases of aliases would fill the memory; the limit is that of go.yaml.in/yaml v2.4.4 decode.go. */
  #note(node: unknown): void {
    this.#count += 1;
    if (this.#aliasDepth > 0) this.#aliasCount += 1;
    const isExcessive =
      this.#aliasCount > 100 && this.#count > 1000 && this.#aliasCount / this.#count > allowedRatio(this.#count);
    if (isExcessive) throw new YamlValueError('it has too many aliases', this.#nodeOf(node));
  }

  #nodeOf(node: unknown): Node | undefined {
    return this.#yaml.isNode(node) ? node : (this.#document.contents ?? undefined);
  }
}

/** Which node each alias means: the last one of that name before it. */
function anchorsOf(yaml: typeof YamlLibrary, document: Document.Parsed): ReadonlyMap<Alias, Node | undefined> {
  const named = new Map<string, Node>();
  const found = new Map<Alias, Node | undefined>();
  yaml.visit(document, {
    Node(_key, node) {
      if (yaml.isAlias(node)) found.set(node, named.get(node.source));
      else if (node.anchor !== undefined) named.set(node.anchor, node);
    },
  });
  return found;
}

/** How much of a document may come from aliases: 99 percent of a small one, 10 of a large one. */
function allowedRatio(count: number): number {
  const small = 400_000;
  const large = 4_000_000;
  if (count <= small) return 0.99;
  if (count >= large) return 0.1;
  return 0.99 - (0.89 * (count - small)) / (large - small);
}

function asError<T>(node: Node | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ScalarError) throw new YamlValueError(error.message, node);
    throw error;
  }
}
