/** How a server gets into a cluster that other servers have made: the authorities' files first, then its place in the etcd. */
import { join } from 'node:path';
import { systemClock } from '../shared/clock.ts';
import type { SaysWait } from '../shared/component/component.ts';
import { KagentError, messageOf, remedyOf } from '../shared/errors.ts';
import { wrongUsageExitCode } from '../shared/exit-codes.ts';
import { caHashOf } from '../shared/certificates/certificates.ts';
import { isThere, readText, writeFileAtomicSync } from '../shared/files/files.ts';
import type { Log } from '../shared/log/log.ts';
import { pause } from '../shared/pause.ts';
import { etcdMembersPath, MembersOf, SealedFiles, serverFilesPath, SharedFiles } from '../shared/protocol/servers.ts';
import type { NewMember } from '../shared/protocol/servers.ts';
import { unseal } from '../shared/seal/seal.ts';
import type { Secret } from '../shared/secret.ts';
import { supervisorUrl } from '../shared/supervisor-url.ts';
import { bareSecret, parseToken } from '../shared/token/token.ts';
import { askSupervisor, isUnreachable, pinnedCa } from '../shared/supervisor/supervisor.ts';

const againAfterMs = 1000;
const askedWithinMs = 15_000;

export class ServerTokenMissingError extends KagentError {
  readonly code = 'CONFIG_SERVER_TOKEN';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(url: string) {
    super(`a server that joins ${url} needs the server token`, {
      remedy: 'give --token with the text of server/token on that server',
    });
  }
}

export class OtherClusterError extends KagentError {
  readonly code = 'CONFIG_OTHER_CLUSTER';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(url: string, caFile: string) {
    super(`this box has the CA of another cluster than ${url}, in ${caFile}`, {
      remedy: "remove what is left of that one ('kagent uninstall'), or leave --server out to go on with it",
    });
  }
}

export interface FirstServer {
  /** Of its supervisor. */
  readonly url: string;
  readonly token: Secret | undefined;
  readonly log: Log;
}

/** The last of the files that is written: with it, all are there. */
const lastFile = 'tls/server-ca.key';

/**
 * Fetches what all servers share, unless it is here already; asks again for as long as it takes.
 * @throws {ServerTokenMissingError} @throws {SealError} and what the other server refuses
 */
export async function takeServerFiles(first: FirstServer, dir: string, signal: AbortSignal): Promise<void> {
  if (isThere(join(dir, lastFile))) return checkCluster(first, join(dir, 'tls', 'server-ca.crt'));
  const { sealed } = await askUntilAnswered(
    first,
    { path: serverFilesPath, schema: SealedFiles },
    (_, said) => first.log.warn('the other server is not reached yet', { url: first.url, error: said }),
    signal,
  );
  const { secret } = tokenOf(first);
  const files = SharedFiles.parse(JSON.parse(unseal(bareSecret(secret), sealed)));
  const names = Object.keys(files).toSorted((a, b) => Number(a === lastFile) - Number(b === lastFile));
  for (const name of names) writeFileAtomicSync(join(dir, name), files[name] ?? '', 0o600);
  first.log.info('has what the servers of the cluster share', { url: first.url });
}

/** What is here may be of a cluster that this box had before. */
function checkCluster({ url, token }: FirstServer, caFile: string): void {
  const caHash = token === undefined ? undefined : parseToken(token.reveal()).caHash;
  if (caHash !== undefined && caHash !== caHashOf(readText(caFile))) throw new OtherClusterError(url, caFile);
}

/** @returns as etcd's `--initial-cluster` @throws what the other server refuses for good */
export async function takePlace(
  first: FirstServer,
  wanted: NewMember,
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<string> {
  const question = { path: etcdMembersPath, body: wanted, schema: MembersOf };
  return (await askUntilAnswered(first, question, saysWait, signal)).members;
}

type Question<T> = Pick<Parameters<typeof askSupervisor<T>>[0], 'path' | 'body' | 'schema'>;

async function askUntilAnswered<T>(
  first: FirstServer,
  question: Question<T>,
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<T> {
  const { caHash, secret } = tokenOf(first);
  const url = supervisorUrl(first.url);
  if (caHash === undefined) first.log.warn('the token pins no CA: the server is trusted as it is', { url });
  for (let said = ''; ; await pause(againAfterMs, signal)) {
    signal.throwIfAborted();
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(askedWithinMs)]);
      const caPem = await pinnedCa({ url, caHash, clock: systemClock }, within);
      return await askSupervisor({ url, caPem, proof: { secret }, timeoutMs: askedWithinMs, ...question }, within);
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnreachable(error)) throw error;
      if (said === messageOf(error)) continue;
      said = messageOf(error);
      saysWait('ServerAway', [said, remedyOf(error)].filter(Boolean).join('; '));
    }
  }
}

function tokenOf({ url, token }: FirstServer): ReturnType<typeof parseToken> {
  if (token === undefined) throw new ServerTokenMissingError(url);
  return parseToken(token.reveal());
}
