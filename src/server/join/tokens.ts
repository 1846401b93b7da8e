import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { writeFileAtomicSync } from '../../shared/files/files.ts';
import { Secret } from '../../shared/secret.ts';
import {
  bareSecret,
  bitsAtMost,
  bootstrapText,
  leastTokenBits,
  parseToken,
  tokenText,
} from '../../shared/token/token.ts';
import { TokenStaticError, TokenUnknownError, TokenWrongError } from './errors.ts';
import { createIssuedTokens, IssuedToken } from './issued-tokens.ts';
import type { NewToken } from './issued-tokens.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import { keepStaticTokens, newSecret } from './static-tokens.ts';
import type { StaticTokenOptions } from './static-tokens.ts';

export interface JoinToken {
  readonly id: string; // safe to log
  readonly role: 'server' | 'agent';
  readonly expiresAt?: string | undefined; // RFC 3339; undefined: until revoked
  /** The one node it lets in, which an administrator has named. */
  readonly nodeName?: string | undefined;
}

export interface TokenStore {
  /** The token a joiner shows, compared in constant time; also one that has expired. */
  find(secret: Secret): Promise<JoinToken | undefined>;
  /** The whole text by which servers and agents join. */
  readonly serverToken: Secret;
  /** The whole text by which agents join. */
  readonly agentToken: Secret;
  /** By which this server's own node joins, and nobody else: it is in no file, and another one at each start. */
  readonly ownNodeToken: Secret;
  /** A sentence for each token that an operator has chosen too short. */
  weaknesses(): readonly string[];
  /** @returns the new token's whole text beside its facts. @throws {TokenExistsError} @throws {TokenSecretInvalidError} */
  create(token: NewToken): Promise<{ readonly token: IssuedToken; readonly text: Secret }>;
  /** The server's and agents' own first, which have no end and cannot be deleted. */
  list(): Promise<readonly IssuedToken[]>;
  /** @throws {TokenStaticError} @throws {TokenUnknownError} */
  delete(id: string): Promise<void>;
  /**
   * Another secret in place of the server's (or the agents' own) token. Nodes that have joined stay: they show their
   * certificates. @throws {TokenWrongError} `old` is none of the two
   */
  rotate(old: Secret, next: Secret | undefined): Secret;
}

export interface OpenTokensOptions extends StaticTokenOptions {
  readonly store: KeyValue;
  /** The name of the node on this box. */
  readonly ownNode: string;
  readonly clock?: Clock;
}

const staticDescriptions = {
  server: 'joins servers and agents; server/token on each server',
  agent: 'joins agents; server/node-token on each server',
};

/**
 * The tokens of this cluster: those without an end in files of mode 0600, those that were issued in the datastore.
 * @throws {TokenFormatError} the operator's token, or the file, is damaged
 */
export function openTokens(options: OpenTokensOptions): TokenStore {
  const { caHash, files, store, ownNode, clock = systemClock } = options;
  const issued = createIssuedTokens(store, clock);
  let own = keepStaticTokens(options);
  const ownNodeSecret = newSecret();
  const createdAt = ''; // nobody wrote down when
  const staticTokens = (): readonly (IssuedToken & { readonly secret: Secret })[] => [
    { id: 'server', role: 'server', description: staticDescriptions.server, createdAt, secret: own.server },
    ...(own.agent === undefined
      ? []
      : [{ id: 'agent', role: 'agent' as const, description: staticDescriptions.agent, createdAt, secret: own.agent }]),
  ];
  const findStatic = (shown: Secret) => {
    const secret = bareSecret(shown);
    // All are compared, so that the time does not tell which was nearly right.
    return staticTokens()
      .filter((token) => [token.secret.equals(secret), own.asWritten[token.role]?.equals(secret)].includes(true))
      .at(0);
  };
  return {
    async find(shown) {
      if (ownNodeSecret.equals(bareSecret(shown))) return { id: 'own-node', role: 'agent', nodeName: ownNode };
      const found = findStatic(shown) ?? (await issued.find(shown));
      if (found === undefined) return undefined;
      return { id: found.id, role: found.role, expiresAt: found.expiresAt, nodeName: found.nodeName };
    },
    get serverToken() {
      return own.serverText;
    },
    get agentToken() {
      return own.agentText;
    },
    ownNodeToken: new Secret(tokenText(caHash, 'node', ownNodeSecret)),
    weaknesses: () =>
      staticTokens().flatMap(({ id, secret }) => {
        const bits = bitsAtMost(secret);
        return bits < leastTokenBits ? [weakness(id, bits)] : [];
      }),
    async create(asked) {
      const { token, secret } = await issued.create(asked);
      return { token, text: bootstrapText(caHash, secret) };
    },
    list: async () => [...staticTokens().map((token) => IssuedToken.parse(token)), ...(await issued.list())],
    async delete(id) {
      if (staticTokens().some((token) => token.id === id)) throw new TokenStaticError(id);
      if (!(await issued.delete(id))) throw new TokenUnknownError(id);
    },
    rotate(old, next) {
      const known = findStatic(parseToken(old.reveal()).secret);
      if (known === undefined) throw new TokenWrongError();
      const secret = next === undefined ? newSecret() : bareSecret(parseToken(next.reveal()).secret);
      const [path, user] =
        known.id === 'server' ? ([files.token, 'server'] as const) : ([files.agentToken, 'node'] as const);
      writeFileAtomicSync(path, `${tokenText(caHash, user, secret)}\n`, 0o600);
      own = keepStaticTokens({ caHash, files });
      return known.id === 'server' ? own.serverText : own.agentText;
    },
  };
}

function weakness(id: string, bits: number): string {
  return `the ${id} token has at most ${bits} bits, and fewer than ${leastTokenBits} can be guessed by whoever reaches the supervisor's port: replace it with 'kagent token rotate', and leave --token and --agent-token out`;
}
