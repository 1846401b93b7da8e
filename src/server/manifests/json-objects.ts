import { parseJson } from '../../shared/json/json.ts';

/** A value and the offset at which it begins. */
export interface JsonValue {
  readonly value: unknown;
  readonly offset: number;
}

/**
 * JSON objects one after the other, as kubectl reads a file that begins with a brace.
 * @returns undefined if it is not that, and so may be YAML
 */
export function jsonObjects(text: string): readonly JsonValue[] | undefined {
  const found: JsonValue[] = [];
  let offset = skipSpace(text, 0);
  while (offset < text.length) {
    const end = endOfObject(text, offset);
    if (end === undefined) return undefined;
    try {
      found.push({ value: parseJson(text.slice(offset, end)), offset });
    } catch {
      return undefined;
    }
    offset = skipSpace(text, end);
  }
  return found;
}

function skipSpace(text: string, from: number): number {
  const space = /\s*/y;
  space.lastIndex = from;
  return from + (space.exec(text)?.[0].length ?? 0);
}

/** After the brace that closes the one at `start`; braces in texts count nothing. */
function endOfObject(text: string, start: number): number | undefined {
  if (text[start] !== '{') return undefined;
  const token = /["{}]|\\./gs;
  token.lastIndex = start;
  let depth = 0;
  let isInText = false;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '"') isInText = !isInText;
    else if (!isInText && match[0] === '{') depth += 1;
    else if (!isInText && match[0] === '}') depth -= 1;
    if (depth === 0) return token.lastIndex;
  }
  return undefined;
}
