/**
 * @module
 * Who may join, and what a joiner gets.
 * Knows: tokens, node passwords, which certificate each of a node's programs gets. Leaves to others: HTTP (api/),
 * signing (pki/), where tokens and passwords are kept (a KeyValue that the datastore gives), who is connected (nodes/).
 */
import { systemClock, type Clock } from '../../shared/clock.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import type { ClusterSettings, JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import type { Secret } from '../../shared/secret.ts';
import type { Pki } from '../pki/pki.ts';
import {
  NodeAddressTakenError,
  NodeAliveError,
  NodeNotJoinedError,
  TokenExpiredError,
  TokenRoleError,
  TokenWrongError,
} from './errors.ts';
import { issueNodeCertificates } from './node-certificates.ts';
import type { NodePasswords } from './node-passwords.ts';
import type { JoinToken, TokenStore } from './tokens.ts';
import { checkVersionSkew } from './version-skew.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface JoinDoorOptions {
  readonly pki: Pick<Pki, 'serverCa' | 'clientCa' | 'kubeletCa'>;
  readonly tokens: Pick<TokenStore, 'find'>;
  readonly passwords: NodePasswords;
  readonly wrongTokens: WrongTokens;
  readonly settings: ClusterSettings;
  /** For a joiner that was accepted at this address of the server. */
  readonly servers: (reachedAt: string | undefined) => readonly ServerAddress[];
  /** The node that is connected and has this address. */
  readonly nodeAt: (address: string) => string | undefined;
  readonly version: string;
  readonly kubernetesVersion: string;
  /** Whether a machine speaks for this node now. */
  readonly isConnected: (nodeName: string) => boolean;
  readonly events: EventLog;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface JoinDoor {
  /**
   * @throws {TooManyAttemptsError} @throws {TokenWrongError} @throws {TokenExpiredError} @throws {TokenRoleError}
   * @throws {NodeNameInvalidError} @throws {NodeAddressInvalidError} @throws {NodeNameTakenError} @throws {CsrInvalidError}
   * @throws {VersionSkewError} @throws {NodeAliveError} @throws {NodeNotJoinedError} @throws {NodeAddressTakenError}
   */
  join(request: JoinRequest, from: Joiner): Promise<JoinResponse>;
  /** As above, without a request: for doors that only want to know whether the joiner may go on. */
  authenticate(from: Joiner): Promise<void>;
}

/** Who asks: by a token, or a node that has joined by its certificate. */
export type Joiner = {
  /** The address the connection comes from. */
  readonly address: string;
  /** The server's own end of it. */
  readonly reachedAt?: string | undefined;
} & ({ readonly secret: Secret } | { readonly nodeName: string });

export function createJoinDoor(options: JoinDoorOptions): JoinDoor {
  const { pki, passwords, settings, servers, version, kubernetesVersion, log } = options;
  const tokenOf = tokenCheck(options);

  /** The name is the joiner's after this, or it throws. */
  const claim = async (request: JoinRequest, from: Joiner): Promise<void> => {
    const { nodeName, nodePassword } = request;
    if ('nodeName' in from) return passwords.verify(nodeName, nodePassword);
    if (request.replace !== true) return passwords.claim(nodeName, nodePassword);
    if (options.isConnected(nodeName)) throw new NodeAliveError(nodeName);
    await passwords.replace(nodeName, nodePassword);
  };

  /** The first address is the node's own; the others may be those of a router that several nodes are behind. */
  const checkAddress = ({ nodeName, addresses: [nodeIp = ''] }: JoinRequest, from: Joiner): void => {
    const other = options.nodeAt(nodeIp);
    if (other !== undefined && other !== nodeName) throw new NodeAddressTakenError(nodeIp, other, from.address);
  };

  return {
    async authenticate(from) {
      if ('secret' in from) await tokenOf(from);
    },
    async join(request, from) {
      const { nodeName } = request;
      const token = 'secret' in from ? await tokenOf(from) : undefined;
      if ('nodeName' in from && from.nodeName !== nodeName) throw new NodeNotJoinedError(nodeName);
      if (request.role === 'server' && token?.role !== 'server') {
        throw new TokenRoleError(token?.id ?? nodeName, 'server');
      }
      checkVersionSkew(kubernetesVersion, request.kubernetesVersion);
      checkAddress(request, from);
      // Signed before the name is claimed: a request that is refused leaves no trace.
      const certificates = await issueNodeCertificates(pki, request);
      await claim(request, from);
      log.info('node joined', { node: nodeName, address: from.address, token: token?.id ?? 'its certificate' });
      return {
        certificates,
        serverCaPem: pki.serverCa.caPem,
        clientCaPem: pki.clientCa.caPem,
        apiserverUrls: servers(from.reachedAt).map(({ apiserverUrl }) => apiserverUrl),
        supervisorUrls: servers(from.reachedAt).map(({ supervisorUrl }) => supervisorUrl),
        settings,
        version,
      };
    },
  };
}

/** The token somebody shows, if it is good. Who guesses is slowed down, and people hear of it. */
function tokenCheck(options: JoinDoorOptions) {
  const { tokens, wrongTokens, events, log, clock = systemClock } = options;
  return async ({ secret, address }: { readonly secret: Secret; readonly address: string }): Promise<JoinToken> => {
    const { found: token, waitSeconds } = await wrongTokens.attempt(address, () => tokens.find(secret));
    if (token === undefined) {
      log.warn('wrong token', { address });
      if (waitSeconds > 0) {
        const message = `${address} has shown too many wrong tokens and has to wait ${waitSeconds} s`;
        events.record({ type: 'Warning', reason: 'WrongTokens', regarding: 'supervisor-api', message });
      }
      throw new TokenWrongError();
    }
    if (token.expiresAt !== undefined && Date.parse(token.expiresAt) <= clock.now()) {
      throw new TokenExpiredError(token.id, token.expiresAt);
    }
    return token;
  };
}

export { openTokens, type JoinToken, type TokenStore } from './tokens.ts';
export { IssuedToken } from './issued-tokens.ts';
export { createNodePasswords, type NodePasswords } from './node-passwords.ts';
export { issueUserCertificate } from './user-certificates.ts';
export { flannelGroup, flannelUserPrefix } from './node-certificates.ts';
export { createWrongTokens, type WrongTokens } from './wrong-tokens.ts';
export {
  NodeAddressInvalidError,
  NodeAddressTakenError,
  NodeAliveError,
  NodeNameInvalidError,
  NodeNameTakenError,
  NodeNotJoinedError,
  TokenExistsError,
  TokenExpiredError,
  TokenRoleError,
  TokenSecretInvalidError,
  TokenStaticError,
  TokenUnknownError,
  TokenWrongError,
  TooManyAttemptsError,
  UserNameInvalidError,
  VersionSkewError,
} from './errors.ts';
