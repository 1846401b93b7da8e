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
  /** What the operator's settings say of a token that the cluster has in the form of a number; it is good too. */
  readonly asWritten: Readonly<Record<'server' | 'agent', Secret | undefined>>;
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
  const ofServer = keepSecret(files.token, caHash, serverSecret);
  const server = ofServer.kept;
  const serverText = tokenText(caHash, 'server', server);
  writeFileIfChanged(files.token, `${serverText}\n`, 0o600);
  const known = agentSecret !== undefined || readFileIfExists(files.agentToken) !== undefined;
  const ofAgent = known ? keepSecret(files.agentToken, caHash, agentSecret) : undefined;
  const agent = ofAgent?.kept;
  const agentText = agent === undefined ? serverText : tokenText(caHash, 'node', agent);
  if (agent !== undefined) writeFileIfChanged(files.agentToken, `${agentText}\n`, 0o600);
  writeFileIfChanged(files.nodeToken, `${agentText}\n`, 0o600);
  const asWritten = { server: ofServer.asWritten, agent: ofAgent?.asWritten };
  return { server, agent, asWritten, serverText: new Secret(serverText), agentText: new Secret(agentText) };
}

interface KeptSecret {
  readonly kept: Secret;
  readonly asWritten: Secret | undefined;
}

/** The operator's, the file's, or a new one. An operator may give the whole text of a token or its secret alone. */
function keepSecret(path: string, caHash: string, given: Secret | undefined): KeptSecret {
  const onDisk = readFileIfExists(path);
  if (given !== undefined && onDisk !== undefined) {
    const kept = secretOf(onDisk);
    if (isNumberOf(kept, given)) return { kept, asWritten: secretOf(given.reveal()) };
  }
  const text = given?.reveal() ?? onDisk;
  if (text !== undefined) return { kept: secretOf(text), asWritten: undefined };
  const secret = newSecret();
  writeFileAtomicSync(path, `${tokenText(caHash, 'server', secret)}\n`, 0o600);
  return { kept: secret, asWritten: undefined };
}

function secretOf(text: string): Secret {
  return bareSecret(parseToken(text).secret);
}

/**
 * Whether the cluster was made by a kagent that took `token: 00112233445566` in config.yaml for a number. Its token stays
 * good, and so the file stays as it is. No other cluster gets such a second, shorter token.
 */
function isNumberOf(kept: Secret, given: Secret): boolean {
  const written = given.reveal();
  const isNumber = /^([-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|0x[\da-fA-F]+|0o[0-7]+)$/.test(written);
  return isNumber && String(Number(written)) !== written && kept.equals(new Secret(String(Number(written))));
}

/** 192 random bits. */
export function newSecret(): Secret {
  return new Secret(randomBytes(24).toString('hex'));
}
