/**
 * @module
 * Who may join, and what a joiner gets.
 * Knows: tokens, which certificate each of a node's programs gets. Leaves to others: HTTP (api/), signing (pki/), who is
 * which node (identity/), where tokens are kept (a KeyValue that the datastore gives).
 */
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ClusterSettings, JoinRequest, JoinResponse } from '../../shared/protocol/join.ts';
import type { Secret } from '../../shared/secret.ts';
import type { Pki } from '../pki/pki.ts';
import { NodeNotJoinedError } from '../identity/identity.ts';
import type { DecidedAddresses, NodeIdentities, Peer } from '../identity/identity.ts';
import { TokenExpiredError, TokenNodeError, TokenRoleError, TokenWrongError } from './errors.ts';
import { issueNodeCertificates, keysOf } from './node-certificates.ts';
import type { JoinToken, TokenStore } from './tokens.ts';
import { checkVersionSkew } from './version-skew.ts';
import type { WrongTokens } from './wrong-tokens.ts';

export interface JoinServiceOptions {
  readonly pki: Pick<Pki, 'serverCa' | 'clientCa' | 'kubeletCa'>;
  readonly tokens: Pick<TokenStore, 'find'>;
  readonly identities: Pick<NodeIdentities, 'names' | 'addresses'>;
  readonly wrongTokens: WrongTokens;
  readonly settings: ClusterSettings;
  /** For a joiner that was accepted at this address of the server. */
  readonly servers: Pick<ServerDirectory, 'current'>;
  readonly version: string;
  readonly kubernetesVersion: string;
  readonly events: EventLog;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface JoinService {
  /**
   * @throws {TooManyAttemptsError} @throws {TokenWrongError} @throws {TokenExpiredError} @throws {TokenRoleError}
   * @throws {TokenNodeError} @throws {NodeNameInvalidError} @throws {CsrInvalidError} @throws {VersionSkewError}
   * @throws {NodeNotJoinedError} and what identity/ throws for a name or an address that is not the joiner's
   */
  join(request: JoinRequest, from: Joiner): Promise<JoinResponse>;
  /** As above, without a request: for services that only want to know whether the joiner is authenticated. */
  authenticate(from: Joiner): Promise<void>;
  /** As `authenticate`, for what servers alone may have. @returns the secret @throws {TokenRoleError} unless it is that of a server token */
  authenticateServer(from: Joiner): Promise<Secret>;
}

/** Who asks: by a token, or a node that has joined by its certificate. */
export type Joiner = {
  /** The address the connection comes from. */
  readonly address: string;
  /** The server's own end of it. */
  readonly reachedAt?: string | undefined;
} & ({ readonly secret: Secret } | Peer);

export function createJoinService(options: JoinServiceOptions): JoinService {
  const { pki, identities, settings, servers, version, kubernetesVersion, log } = options;
  const { names, addresses } = identities;
  const tokenOf = tokenCheck(options);

  /** @returns the token, for those who show one. @throws for everybody who may not ask */
  const authenticate = async (from: Joiner): Promise<JoinToken | undefined> => {
    if ('secret' in from) return await tokenOf(from);
    if (!(await names.isMember(from))) throw new NodeNotJoinedError(from.nodeName);
    return undefined;
  };

  return {
    async authenticate(from) {
      await authenticate(from);
    },
    async authenticateServer(from) {
      const token = await authenticate(from);
      if (!('secret' in from)) throw new TokenRoleError(from.nodeName, 'server');
      if (token?.role !== 'server') throw new TokenRoleError(token?.id ?? '', 'server');
      return from.secret;
    },
    async join(request, from) {
      const {
        nodeName,
        nodePassword,
        addresses: [nodeIp = '', ...externalIps],
      } = request;
      const token = await authenticate(from);
      checkToken(token, request);
      if ('nodeName' in from && from.nodeName !== nodeName) throw new NodeNotJoinedError(nodeName);
      checkVersionSkew(kubernetesVersion, request.kubernetesVersion);
      const owner = addresses.owner(nodeIp);
      const isOther = owner !== undefined && owner !== nodeName;
      const formerName = isOther && (await names.isOwner(owner, nodePassword)) ? owner : undefined;
      const claimed = { nodeName, internalIps: [nodeIp], externalIps, seenAs: from.address, formerName };
      // Looked at before the name is claimed: a request that is refused leaves no trace.
      const keys = await keysOf(request);
      addresses.check(claimed);
      const by = token === undefined ? 'certificate' : token.nodeName === undefined ? 'token' : 'token-for-name';
      const replace = request.replace === true;
      const { uid } = await names.claim({ nodeName, password: nodePassword, replace, address: from.address, by });
      const decided = await addresses.decide(claimed);
      log.info('node joined', { node: nodeName, address: from.address, token: token?.id ?? 'its certificate' });
      return {
        certificates: await issueNodeCertificates(pki, { nodeName, uid, addresses: shownOf(decided, from), keys }),
        serverCaPem: pki.serverCa.trust.pem,
        clientCaPem: pki.clientCa.trust.pem,
        apiserverUrls: servers.current(from.reachedAt).map(({ apiserverUrl }) => apiserverUrl),
        supervisorUrls: servers.current(from.reachedAt).map(({ supervisorUrl }) => supervisorUrl),
        settings,
        version,
      };
    },
  };
}

/** @throws {TokenRoleError} @throws {TokenNodeError} */
function checkToken(token: JoinToken | undefined, { nodeName, role }: JoinRequest): void {
  if (role === 'server' && token?.role !== 'server') throw new TokenRoleError(token?.id ?? nodeName, 'server');
  if (token?.nodeName !== undefined && token.nodeName !== nodeName) throw new TokenNodeError(token.id, token.nodeName);
}

/** Those of routers are in a certificate only where the node was seen to be there. */
function shownOf({ internalIps, externalIps }: DecidedAddresses, { address }: Joiner): readonly string[] {
  return [...internalIps, ...externalIps.filter((one) => one === address)];
}

/** The token somebody shows, if it is good. Who guesses is slowed down, and people hear of it. */
function tokenCheck(options: JoinServiceOptions) {
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

export { createServerJoin, type ServerJoin } from './server-join.ts';
export { openTokens, type JoinToken, type TokenStore } from './tokens.ts';
export { IssuedToken } from './issued-tokens.ts';
export { issueUserCertificate } from './user-certificates.ts';
export { flannelGroup } from './node-certificates.ts';
export { createWrongTokens, type WrongTokens } from './wrong-tokens.ts';
export {
  NodeNameInvalidError,
  TokenExistsError,
  TokenExpiredError,
  TokenNodeError,
  TokenRoleError,
  TokenSecretInvalidError,
  TokenStaticError,
  TokenUnknownError,
  TokenWrongError,
  TooManyAttemptsError,
  UserNameInvalidError,
  VersionSkewError,
} from './errors.ts';
import type { ServerDirectory } from '../cluster/cluster.ts';
