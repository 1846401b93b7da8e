import { randomBytes } from 'node:crypto';
import { readFileIfExists, writeFileAtomicSync, writeFileIfChanged } from '../../shared/files/files.ts';
import { Secret } from '../../shared/secret.ts';
import { bareSecret, parseToken, tokenText } from '../../shared/token/token.ts';

export interface JoinToken {
  readonly id: string; // safe to log
  readonly secret: Secret;
  readonly role: 'server' | 'agent';
  readonly expiresAt: string | undefined; // RFC 3339; undefined: until revoked
}

export interface TokenStore {
  /** The token a joiner shows, compared in constant time. */
  find(secret: Secret): JoinToken | undefined;
  /** The whole text by which servers and agents join. */
  readonly serverToken: Secret;
  /** The whole text by which agents join. */
  readonly agentToken: Secret;
}

export interface OpenTokensOptions {
  readonly caHash: string;
  /** The files `server/token`, `server/node-token` and `server/agent-token`. */
  readonly files: { readonly token: string; readonly nodeToken: string; readonly agentToken: string };
  /** What the operator set; else what is on disk, else made anew. */
  readonly serverSecret?: Secret;
  /** Without one, the server token is the agents' token too. */
  readonly agentSecret?: Secret;
}

/**
 * The tokens of this server, on disk with mode 0600. They are kept as text because each is shown to people for as
 * long as it lives.
 * @throws {TokenFormatError} the operator's token, or the file, is damaged
 */
export function openTokens(options: OpenTokensOptions): TokenStore {
  const { caHash, files, serverSecret, agentSecret } = options;
  const server = keepSecret(files.token, caHash, serverSecret);
  const serverToken = tokenText(caHash, 'server', server);
  writeFileIfChanged(files.token, `${serverToken}\n`, 0o600);
  const known = agentSecret !== undefined || readFileIfExists(files.agentToken) !== undefined;
  const agent = known ? keepSecret(files.agentToken, caHash, agentSecret) : undefined;
  const agentToken = agent === undefined ? serverToken : tokenText(caHash, 'node', agent);
  if (agent !== undefined) writeFileIfChanged(files.agentToken, `${agentToken}\n`, 0o600);
  writeFileIfChanged(files.nodeToken, `${agentToken}\n`, 0o600);
  const tokens: readonly JoinToken[] = [
    { id: 'server', secret: server, role: 'server', expiresAt: undefined },
    ...(agent === undefined ? [] : [{ id: 'agent', secret: agent, role: 'agent' as const, expiresAt: undefined }]),
  ];
  return {
    find(shown) {
      const secret = bareSecret(shown);
      // All are compared, so that the time does not tell which was nearly right.
      return tokens.filter((token) => token.secret.equals(secret)).at(0);
    },
    serverToken: new Secret(serverToken),
    agentToken: new Secret(agentToken),
  };
}

/** The operator's, the file's, or a new one. An operator may give the whole text of a token or its secret alone. */
function keepSecret(path: string, caHash: string, given: Secret | undefined): Secret {
  const text = given?.reveal() ?? readFileIfExists(path);
  if (text !== undefined) return bareSecret(parseToken(text).secret);
  const secret = new Secret(randomBytes(24).toString('hex'));
  writeFileAtomicSync(path, `${tokenText(caHash, 'server', secret)}\n`, 0o600);
  return secret;
}
