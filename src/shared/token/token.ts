/**
 * @module
 * The text of a join token: `K10<sha256 of the CA's PEM>::<role>:<secret>`, `K10…::<id6>.<secret16>`, or the secret alone.
 * Knows: the text forms. Leaves to others: which tokens exist (server/join), comparing the hash (agent/membership).
 */
import { isUtf8 } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { KagentError } from '../errors.ts';
import { Secret } from '../secret.ts';

export class TokenFormatError extends KagentError {
  readonly code = 'TOKEN_FORMAT';
  readonly fault = 'operator';
  constructor(reason: string) {
    super(`the token is not usable: ${reason}`, {
      remedy: 'copy it whole from the file server/node-token on the server',
    });
  }
}

export interface ParsedToken {
  /** What the CA must hash to, lower-case hex; undefined for a short secret, which pins nothing. */
  readonly caHash: string | undefined;
  /** What the server is shown: `server:<secret>`, `node:<secret>`, `<id6>.<secret16>` or the short secret. */
  readonly secret: Secret;
}

export type TokenUser = 'server' | 'node';

const prefix = 'K10';
const hashLength = 64;
/** As kubeadm's bootstrap tokens: the first part is no secret. */
const bootstrapForm = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;

/** @throws {TokenFormatError} naming what is wrong, never the token */
export function parseToken(text: string): ParsedToken {
  const token = text.trim();
  if (token === '') throw new TokenFormatError('it is empty');
  if (/\s/.test(token)) throw new TokenFormatError('it has a space or a line break inside');
  if (!token.startsWith(prefix)) {
    if (token.includes('::')) throw new TokenFormatError(`it does not begin with ${prefix}`);
    return { caHash: undefined, secret: new Secret(token) };
  }
  const at = token.indexOf('::');
  if (at < 0) throw new TokenFormatError(`it begins with ${prefix} but '::' and the secret are missing`);
  const caHash = token.slice(prefix.length, at).toLowerCase();
  if (!/^[0-9a-f]*$/.test(caHash) || caHash.length !== hashLength) {
    throw new TokenFormatError(`between ${prefix} and '::' there must be ${hashLength} hexadecimal digits`);
  }
  const secret = token.slice(at + 2);
  const isUserForm = /^(server|node):.+$/.test(secret);
  const isBootstrapForm = bootstrapForm.test(secret);
  if (!isUserForm && !isBootstrapForm) {
    throw new TokenFormatError("after '::' there must be server:<secret>, node:<secret> or <id>.<secret>");
  }
  return { caHash, secret: new Secret(secret) };
}

/** The value of `Authorization`: UTF-8, in a header whose characters are bytes. */
export function bearerOf(secret: Secret): string {
  return `Bearer ${Buffer.from(secret.reveal(), 'utf8').toString('latin1')}`;
}

/** @returns undefined where there is none; bytes that are no UTF-8 are latin-1, as other clients may send them. */
export function secretOfBearer(header: string | undefined): Secret | undefined {
  const shown = /^Bearer ([^ \t]+)$/.exec(header ?? '')?.[1];
  if (shown === undefined) return undefined;
  const bytes = Buffer.from(shown, 'latin1');
  return new Secret(isUtf8(bytes) ? bytes.toString('utf8') : shown);
}

/** The whole token: for a 0600 file or the operator's terminal. */
export function tokenText(caHash: string, user: TokenUser, secret: Secret): string {
  return `${prefix}${caHash}::${user}:${secret.reveal()}`;
}

/** The secret without its user: `server:abc` and `abc` are the same secret. */
export function bareSecret(secret: Secret): Secret {
  return new Secret(secret.reveal().replace(/^(server|node):/, ''));
}

/** The whole text of a token that was issued: for the operator's terminal. */
export function bootstrapText(caHash: string, secret: Secret): Secret {
  return new Secret(`${prefix}${caHash}::${secret.reveal()}`);
}

/** `<id6>.<secret16>`: the id is safe to log. @returns undefined for every other form */
export function splitBootstrapSecret(secret: Secret): { readonly id: string } | undefined {
  const id = bootstrapForm.exec(secret.reveal())?.[1];
  return id === undefined ? undefined : { id };
}

/** Fewer, and a secret is within the reach of who tries for long; those that kagent makes have 82 and 192. */
export const leastTokenBits = 80;

/** What a secret has if each of its characters was drawn by lot from its kinds; one that a person chose has less. */
export function bitsAtMost(secret: Secret): number {
  const text = secret.reveal();
  return Math.floor(text.length * Math.log2(kindsOf(text)));
}

function kindsOf(text: string): number {
  if (/^\d*$/.test(text)) return 10;
  if (/^[0-9a-f]*$/.test(text)) return 16;
  const kinds = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/\d/, 10],
    [/[^A-Za-z0-9]/, 33],
  ] as const;
  return kinds.reduce((sum, [kind, count]) => sum + (kind.test(text) ? count : 0), 0);
}

/** `<id6>.<secret16>` from 31 and 82 random bits. */
export function newBootstrapSecret(): Secret {
  return new Secret(`${randomText(6)}.${randomText(16)}`);
}

function randomText(length: number): string {
  return Array.from({ length }, () => randomInt(36).toString(36)).join('');
}
