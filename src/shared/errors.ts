/**
 * @module
 * The root of every failure that somebody can act on.
 * Knows: a stable code and whose move it is. Leaves to others: how a door shows it (gRPC, HTTP, exit code).
 */

import { constants } from 'node:os';

/** Whose move it is: the person who runs kagent, the other end of a connection, or kagent itself. */
export type Fault = 'operator' | 'peer' | 'internal';

/** One subclass per failure; its message says what happened, with its values, then the next step. */
export abstract class KagentError extends Error {
  /** Stable, listed in docs/errors.md. */
  abstract readonly code: string;
  abstract readonly fault: Fault;

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The message of anything thrown; of a disk's error with what to do about it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error;
  const code = systemCode(error) ?? '';
  const words = /Unknown system error/.test(message)
    ? message.replace(/(?:Unknown system error -\d+(?:: )?)+/, `${code}: the disk quota is used up`)
    : message;
  return diskCodes.has(code) && !(error instanceof KagentError)
    ? `${words}; look at the disk (df, mount, dmesg)`
    : words;
}

/** The disk's own, as the system said it: no mistake of kagent's. */
export function isDiskError(error: unknown): boolean {
  return !(error instanceof KagentError) && diskCodes.has(systemCode(error) ?? '');
}

/** What a disk that is full, broken or mounted read-only answers. */
const diskCodes: ReadonlySet<string> = new Set(['EIO', 'ENOSPC', 'EDQUOT', 'EROFS']);

/** Of those for which Node has no name. */
const unnamedCodes: ReadonlyMap<number, string> = new Map([[-constants.errno.EDQUOT, 'EDQUOT']]);

/** The `code` Node gives to system errors (`ENOENT`), if `error` has one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const unnamed = 'errno' in error ? unnamedCodes.get(Number(error.errno)) : undefined;
  return unnamed ?? error.code;
}

/** A call by descriptor fails without a word of which file; adds it, as calls by path say it. @returns the same error */
export function nameFile<T>(error: T, path: string): T {
  if (error instanceof Error && 'syscall' in error && !('path' in error)) {
    error.message += ` '${path}'`;
    Object.assign(error, { path });
  }
  return error;
}
