/** The head of a request, checked. Spec: RFC 9113, section 8.3.1. */
import { errorCodes, StreamError } from './frames.ts';
import type { HeaderField } from './header-field.ts';

export interface Request {
  readonly method: string;
  readonly path: string;
  /** Without the pseudo ones. */
  readonly fields: readonly HeaderField[];
}

/** @throws {StreamError} where the head is malformed */
export function readRequest(streamId: number, all: readonly HeaderField[]): Request {
  const pseudo = new Map<string, string>();
  let pseudoCount = 0;
  for (const field of all) {
    if (field.isMalformed) throw malformed(streamId, `header ${field.name}`);
    if (!field.isPseudo) continue;
    if (all[pseudoCount] !== field) throw malformed(streamId, `${field.name} after other headers`);
    if (!pseudoNames.has(field.name)) throw malformed(streamId, `unknown ${field.name}`);
    if (pseudo.has(field.name)) throw malformed(streamId, `${field.name} twice`);
    pseudo.set(field.name, field.value);
    pseudoCount += 1;
  }
  const method = pseudo.get(':method');
  const path = pseudo.get(':path');
  if (method === undefined || path === undefined || path === '' || !pseudo.has(':scheme')) {
    throw malformed(streamId, 'no :method, :scheme or :path');
  }
  return { method, path, fields: all.slice(pseudoCount) };
}

/** @throws {StreamError} */
export function checkTrailers(streamId: number, fields: readonly HeaderField[]): void {
  for (const field of fields) {
    if (field.isMalformed || field.isPseudo) throw malformed(streamId, `trailer ${field.name}`);
  }
}

/** What the header says of the body's length, if it does. @throws {StreamError} */
export function contentLengthOf(streamId: number, { fields }: Request): number | undefined {
  const field = fields.find(({ name }) => name === 'content-length');
  if (field === undefined) return undefined;
  if (!/^\d{1,15}$/.test(field.value)) throw malformed(streamId, `content-length ${field.value}`);
  return Number(field.value);
}

const pseudoNames = new Set([':method', ':scheme', ':path', ':authority']);

function malformed(streamId: number, what: string): StreamError {
  return new StreamError(streamId, errorCodes.protocolError, `malformed request: ${what}`);
}
