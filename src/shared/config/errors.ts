import { closest, distance } from 'fastest-levenshtein';
import { KagentError } from '../errors.ts';
import type { Said } from './source.ts';
import { wrongUsageExitCode } from '../exit-codes.ts';

export class InvalidSettingError extends KagentError {
  readonly code = 'CONFIG_INVALID';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(key: string, said: Said | undefined, reason: string) {
    const value = said === undefined ? '' : ` is ${JSON.stringify(said.value)} (${said.origin})`;
    super(`${key}${value}: ${reason}`);
  }
}

export class UnsupportedSettingError extends KagentError {
  readonly code = 'CONFIG_NOT_HERE';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(key: string, origin: string, why: string) {
    super(`${key} (${origin}) is a setting that k3s has and kagent has not: ${why}`);
  }
}

export class UnknownKeyError extends KagentError {
  readonly code = 'CONFIG_UNKNOWN_KEY';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(key: string, origin: string, known: readonly string[]) {
    super(`${origin}: there is no setting '${key}'`, { remedy: nearest(key, known) });
  }
}

export class UnreadableConfigError extends KagentError {
  readonly code = 'CONFIG_UNREADABLE';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(where: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`${where}: ${reason}`, options);
  }
}

/** `did you mean 'node-name'?` where one is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const candidate = closest(word, [...known]);
  return distance(word, candidate) <= Math.max(2, word.length / 3) ? `did you mean '${candidate}'?` : undefined;
}
