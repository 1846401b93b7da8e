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
