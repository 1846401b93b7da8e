/**
 * @module
 * The root of every failure that somebody can act on.
 * Knows: a stable code and whose move it is. Leaves to others: how a door shows it (gRPC, HTTP, exit code).
 */

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

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` Node gives to system errors (`ENOENT`), if `error` has one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What the system says of a file that kagent cannot do without, for a person; undefined for any other error. */
export function sentenceOf(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code === undefined || !(error instanceof Error) || !('syscall' in error)) return undefined;
  const { path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  if (path === undefined) return undefined;
  const file = dest ?? path;
  return `${file}: ${reasons[code] ?? error.message}; see what is there ('ls -ld ${file}'), put it right and start again`;
}

const reasons: Readonly<Record<string, string>> = {
  EISDIR: 'a folder is where a file belongs (EISDIR)',
  ENOTDIR: 'a part of the path is not a folder (ENOTDIR)',
  EEXIST: 'something else is where a folder belongs, or a link that leads nowhere (EEXIST)',
  ELOOP: 'its links lead in a circle (ELOOP)',
  ENOENT: 'it is not there (ENOENT)',
  EACCES: 'it is closed to kagent (EACCES)',
  EPERM: 'it may not be changed (EPERM)',
  EROFS: 'its file system is read-only (EROFS)',
  ENOSPC: 'its disk is full (ENOSPC)',
  EDQUOT: "its owner's share of the disk is used up (EDQUOT)",
  EIO: 'its disk does not answer as it should (EIO)',
};
