/**
 * @module
 * Who may join, and what a joiner gets.
 * Knows: tokens, node passwords, which certificate each of a node's programs gets. Leaves to others: HTTP (api/),
 * signing (pki/), where passwords are kept (a KeyValue that the datastore gives).
 */
import type { Log } from '../../shared/log/log.ts';
import type { ClusterSettings, JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import type { Secret } from '../../shared/secret.ts';
import type { Pki } from '../pki/pki.ts';
import { TokenWrongError } from './errors.ts';
import { issueNodeCertificates } from './node-certificates.ts';
import type { NodePasswords } from './node-passwords.ts';
import type { TokenStore } from './tokens.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface JoinDoorOptions {
  readonly pki: Pick<Pki, 'serverCa' | 'clientCa' | 'kubeletCa'>;
  readonly tokens: TokenStore;
  readonly passwords: NodePasswords;
  readonly wrongTokens: WrongTokens;
  readonly settings: ClusterSettings;
  /** `https://host:port`, one for each kube-apiserver. */
  readonly apiserverUrls: readonly string[];
  readonly version: string;
  readonly log: Log;
}

export interface JoinDoor {
  /**
   * @throws {TooManyAttemptsError} @throws {TokenWrongError} @throws {NodeNameInvalidError}
   * @throws {NodeAddressInvalidError} @throws {NodeNameTakenError} @throws {CsrInvalidError}
   */
  join(request: JoinRequest, from: Joiner): Promise<JoinResponse>;
  /** As above, without a request: for doors that only want to know whether the token is good. */
  authenticate(from: Joiner): void;
}

export interface Joiner {
  readonly secret: Secret;
  /** The address the connection comes from. */
  readonly address: string;
}

export function createJoinDoor(options: JoinDoorOptions): JoinDoor {
  const { pki, tokens, passwords, wrongTokens, settings, apiserverUrls, version, log } = options;
  const authenticate = ({ secret, address }: Joiner) => {
    wrongTokens.check(address);
    const token = tokens.find(secret);
    if (token === undefined) {
      wrongTokens.record(address);
      log.warn('wrong token', { address });
      throw new TokenWrongError();
    }
    wrongTokens.forget(address);
    return token;
  };
  return {
    authenticate: (from) => void authenticate(from),
    async join(request, from) {
      const token = authenticate(from);
      // Signed before the name is claimed: a request that is refused leaves no trace.
      const certificates = await issueNodeCertificates(pki, request);
      await passwords.claim(request.nodeName, request.nodePassword);
      log.info('node joined', { node: request.nodeName, address: from.address, token: token.id });
      return {
        certificates,
        serverCaPem: pki.serverCa.caPem,
        clientCaPem: pki.clientCa.caPem,
        apiserverUrls: [...apiserverUrls],
        settings,
        version,
      };
    },
  };
}

export { openTokens, type JoinToken, type TokenStore } from './tokens.ts';
export { createNodePasswords, type KeyValue, type NodePasswords } from './node-passwords.ts';
export { flannelGroup, flannelUserPrefix } from './node-certificates.ts';
export { createWrongTokens, type WrongTokens } from './wrong-tokens.ts';
export {
  NodeAddressInvalidError,
  NodeNameInvalidError,
  NodeNameTakenError,
  TokenWrongError,
  TooManyAttemptsError,
} from './errors.ts';
