import { randomBytes } from 'node:crypto';
import { readFileIfExists, writeFileAtomicSync, writeFileIfChanged } from '../../shared/files/files.ts';
import { Secret } from '../../shared/secret.ts';
import { bareSecret, parseToken, tokenText } from '../../shared/token/token.ts';

export interface StaticTokenOptions {
  readonly caHash: string;
  /** The files `server/token`, `server/node-token` and `server/agent-token`. */
  readonly files: { readonly token: string; readonly nodeToken: string; readonly agentToken: string };
  /** What the operator set; else what is on disk, else made anew. */
  readonly serverSecret?: Secret;
  /** Without one, the server token is the agents' token too. */
  readonly agentSecret?: Secret;
}

/** The tokens without an end: the server's, and the agents' own if there is one. */
export interface StaticTokens {
  readonly server: Secret;
  readonly agent: Secret | undefined;
  /** Their whole texts. */
  readonly serverText: Secret;
  /** What `server/node-token` has: by which agents join. */
  readonly agentText: Secret;
}

/**
 * On disk with mode 0600, as text because each is shown to people for as long as it lives.
 * @throws {TokenFormatError} the operator's token, or the file, is damaged
 */
export function keepStaticTokens(options: StaticTokenOptions): StaticTokens {
  const { caHash, files, serverSecret, agentSecret } = options;
  const server = keepSecret(files.token, caHash, serverSecret);
  const serverText = tokenText(caHash, 'server', server);
  writeFileIfChanged(files.token, `${serverText}\n`, 0o600);
  const known = agentSecret !== undefined || readFileIfExists(files.agentToken) !== undefined;
  const agent = known ? keepSecret(files.agentToken, caHash, agentSecret) : undefined;
  const agentText = agent === undefined ? serverText : tokenText(caHash, 'node', agent);
  if (agent !== undefined) writeFileIfChanged(files.agentToken, `${agentText}\n`, 0o600);
  writeFileIfChanged(files.nodeToken, `${agentText}\n`, 0o600);
  return { server, agent, serverText: new Secret(serverText), agentText: new Secret(agentText) };
}

/** The operator's, the file's, or a new one. An operator may give the whole text of a token or its secret alone. */
function keepSecret(path: string, caHash: string, given: Secret | undefined): Secret {
  const text = given?.reveal() ?? readFileIfExists(path);
  if (text !== undefined) return bareSecret(parseToken(text).secret);
  const secret = newSecret();
  writeFileAtomicSync(path, `${tokenText(caHash, 'server', secret)}\n`, 0o600);
  return secret;
}

/** 192 random bits. */
export function newSecret(): Secret {
  return new Secret(randomBytes(24).toString('hex'));
}
