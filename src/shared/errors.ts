/**
 * @module
 * The root of every failure that somebody can act on.
 * Knows: a stable code, whose move it is, what would help, and what it means as an exit code and in HTTP.
 * Leaves to others: how it is shown.
 */

import { constants } from 'node:os';
import { failedExitCode } from './exit-codes.ts';

/** Whose move it is: the person who runs kagent, the other end of a connection, or kagent itself. */
export type Fault = 'operator' | 'peer' | 'internal';

export interface KagentErrorOptions {
  /** The next step, if there is one: `set --node-ip`. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** One subclass per failure. Its message says what happened, with its values, then the next step. */
export abstract class KagentError extends Error {
  /** Stable, listed in docs/errors.md. */
  abstract readonly code: string;
  abstract readonly fault: Fault;
  /** The message without its remedy. */
  readonly what: string;
  /** Of whoever reads the message; undefined where nothing but the message helps. */
  readonly remedy: string | undefined;
  /** Of a command that ends with it. */
  readonly exitCode: number = failedExitCode;
  /** Of an answer of the API that is this error: each class that the API throws at a peer has one. */
  readonly httpStatus: number | undefined;

  constructor(what: string, options?: KagentErrorOptions) {
    super(withRemedy(what, options?.remedy), options);
    this.name = new.target.name;
    this.what = what;
    this.remedy = options?.remedy;
  }
}

/** What happened and what helps as one sentence. */
export function withRemedy(what: string, remedy: string | undefined): string {
  return remedy === undefined ? what : `${what}; ${remedy}`;
}

/**
 * The other way round, for what has travelled as a message and its remedy beside it: an error's class does not travel.
 * A remedy with which the message does not end is none of it.
 */
export function splitRemedy(
  message: string,
  remedy: string | undefined,
): { readonly what: string; readonly remedy?: string } {
  const ending = withRemedy('', remedy);
  if (remedy === undefined || !message.endsWith(ending)) return { what: message };
  return { what: message.slice(0, -ending.length), remedy };
}

/** The message of anything thrown; of a disk's error as `sentenceOf` says it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isDiskError(error) ? (sentenceOf(error) ?? error.message) : error.message;
}

/** With which `messageOf` ends, where it has a next step. */
export function remedyOf(error: unknown): string | undefined {
  if (error instanceof KagentError) return error.remedy;
  return isDiskError(error) ? systemSentence(error)?.remedy : undefined;
}

/** The disk's own, as the system said it: it is full, broken or mounted read-only. */
export function isDiskError(error: unknown): boolean {
  return Object.hasOwn(diskReasons, systemCode(error) ?? '');
}

/** Of the system's codes those for which Node has no name. */
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

/** What the system says of a file that kagent cannot do without, for a person; undefined for any other error. */
export function sentenceOf(error: unknown): string | undefined {
  const sentence = systemSentence(error);
  return sentence && withRemedy(sentence.what, sentence.remedy);
}

function systemSentence(error: unknown): { readonly what: string; readonly remedy: string } | undefined {
  const code = systemCode(error);
  if (code === undefined || !(error instanceof Error) || !('syscall' in error)) return undefined;
  const { path, dest, syscall } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const file = dest ?? path;
  const diskReason = diskReasons[code];
  if (diskReason !== undefined)
    return { what: `${file ?? syscall}: ${diskReason} (${code})`, remedy: 'look at the disk (df, mount, dmesg)' };
  if (file === undefined) return undefined;
  const reason = reasons[code];
  const words = reason === undefined ? error.message : `${reason} (${code})`;
  return { what: `${file}: ${words}`, remedy: `see what is there ('ls -ld ${file}'), put it right and start again` };
}

/** What a disk that is full, broken or mounted read-only answers. */
const diskReasons: Readonly<Record<string, string>> = {
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: "its owner's share of the disk is used up",
  EIO: 'its disk does not answer as it should',
};

const reasons: Readonly<Record<string, string>> = {
  EISDIR: 'a folder is where a file belongs',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'something else is where a folder belongs, or a link that leads nowhere',
  ELOOP: 'its links lead in a circle',
  ENOENT: 'it is not there',
  EACCES: 'it is closed to kagent',
  EPERM: 'it may not be changed',
};
