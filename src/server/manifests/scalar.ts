/**
 * What a YAML scalar means to Kubernetes: YAML 1.1 as `sigs.k8s.io/yaml` has it, which is neither the whole of YAML 1.1
 * (`1:30` and `2024-01-01` are text) nor YAML 1.2 (`0644` is octal, `on` is true).
 * @see go.yaml.in/yaml v2.4.4 resolve.go, sigs.k8s.io/yaml v1.6.0 yaml.go
 */

import { isUtf8 } from 'node:buffer';

/** An integer is a bigint, so that a floating-point number is told from it. */
export type ScalarValue = string | number | bigint | boolean | null;

/** A scalar that cannot be what it is said to be, or that JSON cannot hold. */
export class ScalarError extends Error {}

type Kind = 'str' | 'bool' | 'int' | 'float' | 'null' | 'timestamp';
interface Resolved {
  readonly kind: Kind;
  readonly value: ScalarValue;
}

const yamlTag = 'tag:yaml.org,2002:';
const words = new Map<string, Resolved>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map(word('bool', true)),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(word('bool', false)),
  ...['', '~', 'null', 'Null', 'NULL'].map(word('null', null)),
  ...['.nan', '.NaN', '.NAN'].map(word('float', Number.NaN)),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map(word('float', Infinity)),
  ...['-.inf', '-.Inf', '-.INF'].map(word('float', -Infinity)),
]);

/**
 * @param text without quotes and escapes
 * @param tag in its long form; undefined: none is written
 * @throws {ScalarError}
 */
export function scalarValue(text: string, tag: string | undefined, isPlain: boolean): ScalarValue {
  if (tag === undefined) return isPlain ? resolve(text).value : text;
  if (!tag.startsWith(yamlTag)) return text;
  const asked = tag.slice(yamlTag.length);
  if (asked === 'binary') return binary(text);
  if (!['null', 'bool', 'int', 'float', 'timestamp'].includes(asked)) return text;
  const { kind, value } = resolve(text);
  if (asked === 'timestamp' && isTimestamp(text)) return text;
  if (asked === 'float' && typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return Number(value);
  if (asked !== kind) throw new ScalarError(`'${text}' is no !!${asked}`);
  return value;
}

/** @throws {ScalarError} for what no key of an object can be */
export function keyText(value: ScalarValue): string {
  if (value === null) throw new ScalarError('a key is empty');
  if (typeof value === 'number') return floatKey(value);
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) {
    throw new ScalarError(`the key ${value} is too large for a number; put it into quotes`);
  }
  return String(value);
}

function word(kind: Kind, value: ScalarValue): (text: string) => readonly [string, Resolved] {
  return (text) => [text, { kind, value }];
}

function resolve(text: string): Resolved {
  const known = words.get(text);
  if (known !== undefined) return known;
  if (/^[-+\d]/.test(text)) {
    const plain = text.replaceAll('_', '');
    const integer = integerOf(plain);
    if (integer !== undefined) return { kind: 'int', value: integer };
    if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(plain)) return floatOf(plain, text);
  } else if (/^\.\d+(_\d+)*([eE][-+]?\d+(_\d+)*)?$/.test(text)) return floatOf(text.replaceAll('_', ''), text);
  return { kind: 'str', value: text };
}

/** One beyond the largest float is text. */
function floatOf(digits: string, text: string): Resolved {
  const value = Number(digits);
  return Number.isFinite(value) ? { kind: 'float', value } : { kind: 'str', value: text };
}

/** As Go's `strconv.ParseInt` with base 0, and `ParseUint` for what is larger. */
function integerOf(text: string): bigint | undefined {
  const match = /^([-+]?)(0x[\da-f]+|0o?[0-7]+|0b[01]+|0|[1-9]\d*)$/i.exec(text);
  if (match === null) return undefined;
  const [, sign = '', digits = ''] = match;
  const size = BigInt(digits.toLowerCase().replace(/^0(?=\d)/, '0o'));
  const value = sign === '-' ? -size : size;
  const isLarge = sign === '' ? BigInt.asUintN(64, value) !== value : BigInt.asIntN(64, value) !== value;
  return isLarge ? undefined : value;
}

/** It stays the text it is, so that it matters only where it is said to be one. */
function isTimestamp(text: string): boolean {
  const match = /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|( ))(\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(Z|[-+]\d\d:\d\d)?)?$/.exec(
    text,
  );
  if (match === null) return false;
  const [, year, month = 0, day = 0, space, hour, minute = 0, second = 0, zone] = match;
  const daysInMonth = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  const isDay = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= daysInMonth;
  if (hour === undefined) return isDay;
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  return isDay && isTime && (space === undefined) === (zone !== undefined);
}

function binary(text: string): string {
  const base64 = text.replaceAll(/[\r\n]/g, '');
  const isBase64 = /^([A-Za-z\d+/]{4})*([A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/.test(base64);
  if (!isBase64) throw new ScalarError('a !!binary value is no base64');
  return textOf(Buffer.from(base64, 'base64'));
}

/** Each byte that is no UTF-8 is one replacement character, as in Go's JSON. */
function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0, size = 0; at < bytes.length; at += size) {
    const character = [1, 2, 3, 4].map((length) => bytes.subarray(at, at + length)).find((part) => isUtf8(part));
    size = character?.length ?? 1;
    text += character?.toString('utf8') ?? '\uFFFD';
  }
  return text;
}

/** The shortest digits that are the same number in 32 bits, in the form of Go's `%g`. */
function floatKey(value: number): string {
  const single = Math.fround(value);
  if (Number.isNaN(single)) return '.nan';
  if (!Number.isFinite(single)) return single > 0 ? '.inf' : '-.inf';
  if (single === 0) return Object.is(single, -0) ? '-0' : '0';
  const shortest = [0, 1, 2, 3, 4, 5, 6, 7, 8]
    .map((digits) => single.toExponential(digits))
    .find((text) => Math.fround(Number(text)) === single);
  const [mantissa = '', exponent = '0'] = (shortest ?? String(single)).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(Number(shortest));
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
