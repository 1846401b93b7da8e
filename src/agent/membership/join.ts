/** Asking a server for this node's certificates: at a start, until a server answers, and when they are due. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SaysWait } from '../../shared/component/component.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { Secret } from '../../shared/secret.ts';
import { parseToken } from '../../shared/token/token.ts';
import type { ParsedToken } from '../../shared/token/token.ts';
import { supervisorUrl } from '../../shared/supervisor-url.ts';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { isUnreachable, JoinRefusedError, pinnedCa, requestJoin } from '../../shared/supervisor/supervisor.ts';
import type { Proof } from '../../shared/supervisor/supervisor.ts';
import { NoTokenError } from './errors.ts';
import { keepKeys, loadIdentity, shownIdentity, storeIdentity } from './identity.ts';
import type { StoredIdentity } from './identity.ts';
import { identityFiles } from './files.ts';
import type { IdentityFiles } from './files.ts';

export interface JoinOptions {
  /** `https://host[:port]`; without a port, or with kube-apiserver's 6443, the supervisor's 9345 is meant. */
  readonly url: string;
  /** Not needed for a node that has joined and whose certificates are good. */
  readonly token: Secret | undefined;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly paths: Paths;
  /** This kagent's version. */
  readonly version: string;
  /** What its kubelet is: `v1.37.1`. */
  readonly kubernetesVersion: string;
  /** Takes the name over from a machine that is gone. */
  readonly replace?: boolean;
  /** The server does not know this node: what is on disk but its password is worth nothing. */
  readonly isForgotten?: boolean;
  /** Where this node's programs reach kube-apiserver, if not at the URLs the server names: a local load balancer. */
  readonly apiserverUrl?: string;
  /** PEM of what may answer at that URL beside the server. */
  readonly alsoTrustedPem?: string;
  /** The server is this very process: it is waited for as long as the start lasts, however slow the disk is. */
  readonly isOwnServer?: boolean;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface NodeIdentity {
  readonly nodeName: string;
  readonly settings: ClusterSettings;
  /** `https://host:port`, one for each kube-apiserver. */
  readonly apiserverUrls: readonly string[];
  readonly supervisorUrls: readonly string[];
  readonly files: IdentityFiles;
  /** Whether this call wrote new certificates. */
  readonly changed: boolean;
}

/**
 * The identity on disk if it is good: then the server is not asked, so that a box boots without it. Else a join:
 * 1 GET /cacerts, not verified; 2 its hash must be the token's; 3 from here on TLS verified by that CA alone;
 * 4 POST /v1/join with the secret and signing requests; 5 certificates to disk. Private keys never leave the node.
 * @throws {KagentError} of errors.ts, one for each way this can fail
 */
export async function join(options: JoinOptions, signal: AbortSignal): Promise<NodeIdentity> {
  const { nodeName, addresses, paths, log, clock = systemClock } = options;
  const url = supervisorUrl(options.url);
  const token = options.token === undefined ? undefined : parseToken(options.token.reveal());
  const known = loadIdentity(paths, { nodeName, addresses, url, caHash: token?.caHash, nowMs: clock.now() });
  const isForgotten = options.isForgotten === true;
  if (known.state === 'good' && !isForgotten) return identityOf(known.identity, options, false);
  try {
    if (known.state === 'due' && !isForgotten) {
      const renewed = await renewUnlessForgotten({ ...options, url, clock }, token !== undefined, signal);
      if (renewed !== undefined) return identityOf(renewed, options, true);
    }
    if (token === undefined) throw new NoTokenError(url);
    const joined = await joinAnew({ ...options, url, token, known: known.password, clock }, signal);
    return identityOf(joined, options, true);
  } catch (error) {
    // The box starts without its server too, whatever its certificates are worth then; they are renewed when it is back.
    if (known.state !== 'due' || !isUnreachable(error)) throw error;
    log.warn('certificates are due but the server is not reached', {
      url,
      error: messageOf(error),
      code: systemCode(error),
    });
    return identityOf(known.identity, options, false);
  }
}

/** A server that starts together with its nodes is not there at once. */
const patienceMs = 15_000;
const againAfterMs = 500;
const ownServerTimeoutMs = 60_000;

/** As `join`; a server that is not reached is asked again for a while. */
export async function joinPatiently(
  options: JoinOptions & { readonly saysWait?: SaysWait },
  signal: AbortSignal,
): Promise<NodeIdentity> {
  const { saysWait, log, url, clock = systemClock } = options;
  const untilMs = options.isOwnServer === true ? Infinity : clock.monotonicMs() + patienceMs;
  for (let said = ''; ; await delay(againAfterMs, undefined, { signal })) {
    try {
      return await join(options, signal);
    } catch (error) {
      if (!isUnreachable(error) || clock.monotonicMs() > untilMs) throw error;
      if (said !== messageOf(error)) log.warn('the server is not reached yet', { url, error });
      said = messageOf(error);
      saysWait?.('ServerAway', said);
    }
  }
}

/**
 * Asks for new certificates if those on disk are due, by showing them: no token is needed. Every program of the node reads
 * its files anew by itself. @returns whether they were renewed
 */
export async function renewIfDue(options: JoinOptions, signal: AbortSignal): Promise<boolean> {
  const { nodeName, addresses, paths, clock = systemClock } = options;
  const url = supervisorUrl(options.url);
  const known = loadIdentity(paths, { nodeName, addresses, url, caHash: undefined, nowMs: clock.now() });
  if (known.state !== 'due') return false;
  identityOf(await renew({ ...options, url, clock }, signal), options, true); // the server's CA may be another one
  return true;
}

interface Asking extends Omit<JoinOptions, 'token'> {
  readonly clock: Clock;
}

async function joinAnew(
  options: Asking & { readonly token: ParsedToken; readonly known: Secret | undefined },
  signal: AbortSignal,
): Promise<StoredIdentity> {
  const { url, token, clock, log } = options;
  const caPem = await pinnedCa({ url, caHash: token.caHash, clock, ...timeoutOf(options) }, signal);
  if (token.caHash === undefined) log.warn('the token pins no CA: the server is trusted as it is', { url });
  return await askAndStore(options, { caPem, proof: { secret: token.secret }, password: options.known }, signal);
}

/** @returns undefined where the server does not know the node any more, and there is a token to join anew with */
async function renewUnlessForgotten(
  options: Asking,
  hasToken: boolean,
  signal: AbortSignal,
): Promise<StoredIdentity | undefined> {
  try {
    return await renew(options, signal);
  } catch (error) {
    if (hasToken && error instanceof JoinRefusedError && [401, 403].includes(error.status)) return undefined;
    throw error;
  }
}

async function renew(options: Asking, signal: AbortSignal): Promise<StoredIdentity> {
  const { paths } = options;
  const { caPem, password, proof } = shownIdentity(paths);
  return await askAndStore(options, { caPem, proof, password }, signal);
}

async function askAndStore(
  options: Asking,
  known: { readonly caPem: string; readonly proof: Proof; readonly password: Secret | undefined },
  signal: AbortSignal,
): Promise<StoredIdentity> {
  const { url, nodeName, addresses, paths, version, kubernetesVersion, replace, log } = options;
  const keys = await keepKeys(paths, nodeName, known.password);
  const request = {
    nodeName,
    nodePassword: keys.password.reveal(),
    addresses: [...addresses],
    version,
    kubernetesVersion,
    ...(replace === true && { replace }),
    csrs: keys.csrs,
  };
  const { caPem, proof } = known;
  const response = await requestJoin({ url, caPem, proof, request, ...timeoutOf(options) }, signal);
  log.info('joined', { url, node: nodeName, serverVersion: response.version });
  return storeIdentity(paths, { url, nodeName, addresses: [...addresses], password: keys.password, response });
}

function timeoutOf({ isOwnServer }: Pick<JoinOptions, 'isOwnServer'>): { readonly timeoutMs?: number } {
  return isOwnServer === true ? { timeoutMs: ownServerTimeoutMs } : {};
}

function identityOf(stored: StoredIdentity, options: JoinOptions, changed: boolean): NodeIdentity {
  const { apiserverUrls } = stored;
  const files = identityFiles(
    options.paths,
    options.apiserverUrl ?? apiserverUrls[0] ?? options.url,
    options.alsoTrustedPem,
  );
  return { ...stored, files, changed };
}
