/**
 * @module
 * JSON of Kubernetes objects, in which integers have 64 bits.
 * Knows: which numbers JavaScript would round. Leaves to others: what is in the objects.
 */

/** Node has both; TypeScript's library does not know them yet. @see TC39 "JSON.parse source text access" */
interface ExactJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}
const exact = JSON as unknown as ExactJson;

/**
 * Nothing else can lose digits; without these `JSON.parse` is enough, which is five times as fast. An exponent counts only
 * where a number can begin: the uid of nearly every object has a digit and an e.
 */
const mayBeRounded = /\d{16}|(?:^|[[:,\s])-?\d+(?:\.\d+)?[eE]/;

/**
 * As `JSON.parse`. An integer of 64 bits that a JavaScript number cannot hold becomes an opaque value that
 * `JSON.stringify` writes digit by digit, and so does a number that would be infinite: whoever reads it refuses it.
 * Larger integers are floating-point numbers, as in kube-apiserver's own JSON.
 * @throws {SyntaxError}
 */
export function parseJson(text: string): unknown {
  if (!mayBeRounded.test(text)) return JSON.parse(text) as unknown;
  return exact.parse(text, (_key, value, { source = '' }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    if (!Number.isFinite(value)) return exact.rawJSON(source);
    return /^-?\d+$/.test(source) ? jsonInteger(BigInt(source)) : value;
  });
}

/** The integer as `JSON.stringify` has to write it; beyond 64 bits the nearest floating-point number. */
export function jsonInteger(value: bigint): unknown {
  const number = Number(value);
  if (Number.isSafeInteger(number) || BigInt.asIntN(64, value) !== value) return number;
  return exact.rawJSON(String(value));
}

/** Whether it is a number that only its digits hold, and no object although JavaScript calls it one. */
export function isExactNumber(value: unknown): boolean {
  return exact.isRawJSON(value);
}

/** For what somebody else wrote: undefined where it is not JSON. */
export function jsonIfValid(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
