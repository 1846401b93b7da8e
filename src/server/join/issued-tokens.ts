import { createHash } from 'node:crypto';
import * as z from 'zod';
import { rfc3339 } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { Secret } from '../../shared/secret.ts';
import { newBootstrapSecret, splitBootstrapSecret } from '../../shared/token/token.ts';
import { TokenExistsError, TokenSecretInvalidError } from './errors.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

/** A token that an operator made; its secret is kept as a hash alone. */
export const IssuedToken = z.object({
  id: z.string(),
  role: z.enum(['server', 'agent']),
  description: z.string(),
  createdAt: z.string(), // RFC 3339
  /** RFC 3339; absent: until deleted. */
  expiresAt: z.string().optional(),
  /** Lets in the node of this name alone, also in place of a machine that has the name. */
  nodeName: z.string().optional(),
});
export type IssuedToken = Readonly<z.infer<typeof IssuedToken>>;

const Kept = IssuedToken.extend({ secretHash: z.string() });

export interface NewToken {
  readonly role: IssuedToken['role'];
  readonly description: string;
  /** 0: until deleted. */
  readonly ttlMs: number;
  /** Lets in the node of this name alone. */
  readonly nodeName?: string | undefined;
  /** `<id6>.<secret16>`; made here unless given. */
  readonly secret: Secret | undefined;
}

export interface IssuedTokens {
  /** Also those that have expired: whoever shows one is told so. */
  find(secret: Secret): Promise<IssuedToken | undefined>;
  /** @throws {TokenExistsError} @throws {TokenSecretInvalidError} */
  create(token: NewToken): Promise<{ readonly token: IssuedToken; readonly secret: Secret }>;
  list(): Promise<readonly IssuedToken[]>;
  /** @returns whether it was there */
  delete(id: string): Promise<boolean>;
}

const prefix = '/kagent/tokens/';
/** So long after its end a joiner is still told that the token has expired; then it is unknown. */
const expiredKeptMs = 7 * 24 * 60 * 60 * 1000;

/** Kept under `/kagent/tokens/<id>`. */
export function createIssuedTokens(store: KeyValue, clock: Clock): IssuedTokens {
  const all = async () => {
    const { entries } = await store.list(prefix);
    return [...entries.values()].map((text) => Kept.parse(JSON.parse(text)));
  };
  const forgetLongExpired = async () => {
    for (const { id, expiresAt } of await all()) {
      if (expiresAt !== undefined && Date.parse(expiresAt) + expiredKeptMs < clock.now())
        await store.delete(prefix + id);
    }
  };
  return {
    async find(secret) {
      const parts = splitBootstrapSecret(secret);
      if (parts === undefined) return undefined;
      const text = await store.get(prefix + parts.id);
      if (text === undefined) return undefined;
      const kept = Kept.parse(JSON.parse(text));
      return new Secret(kept.secretHash).equals(new Secret(hashOf(secret))) ? IssuedToken.parse(kept) : undefined;
    },
    async create({ role, description, ttlMs, nodeName, secret = newBootstrapSecret() }) {
      const parts = splitBootstrapSecret(secret);
      if (parts === undefined) throw new TokenSecretInvalidError();
      await forgetLongExpired();
      const nowMs = clock.now();
      const token: IssuedToken = {
        id: parts.id,
        role,
        description,
        createdAt: rfc3339(nowMs),
        ...(nodeName !== undefined && { nodeName }),
        ...(ttlMs > 0 && { expiresAt: rfc3339(nowMs + ttlMs) }),
      };
      const kept = JSON.stringify({ ...token, secretHash: hashOf(secret) });
      if (!(await store.create(prefix + token.id, kept))) throw new TokenExistsError(token.id);
      return { token, secret };
    },
    list: async () => (await all()).map((kept) => IssuedToken.parse(kept)),
    delete: (id) => store.delete(prefix + id),
  };
}

/** Plain SHA-256 is enough for 82 random bits, which nobody guesses. */
function hashOf(secret: Secret): string {
  return createHash('sha256').update(secret.reveal()).digest('hex');
}
