/** The path to a server, walked once as a join would: the doctor's checks judge what was seen on that one walk. */
import { randomUUID } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { KagentError } from '../../shared/errors.ts';
import type { Paths } from '../../shared/paths.ts';
import { addressTowards, localTunnel, mtuOf, openProbeSocket, probeSizes, vxlanPort } from '../../host/probe/probe.ts';
import type { ProbeSocket } from '../../host/probe/probe.ts';
import { ProbeOpened, ProbeSeen } from '../../shared/protocol/probe.ts';
import type { ProbeRequest } from '../../shared/protocol/probe.ts';
import type { Secret } from '../../shared/secret.ts';
import { parseToken } from '../../shared/token/token.ts';
import { ServerUrlError, supervisorUrl } from '../../shared/supervisor-url.ts';
import type { Met, ServerPath } from '../../host/doctor/doctor.ts';
import {
  askSupervisor,
  CaHashDiffersError,
  ClockSkewError,
  isUnreachable,
  NotKagentError,
  pinnedCa,
  reach,
  ServerSanError,
} from '../../shared/supervisor/supervisor.ts';
import type { Proof } from '../../shared/supervisor/supervisor.ts';
import { NoTokenError } from './errors.ts';
import { joinedProof } from './identity.ts';

export interface ServerPathOptions {
  readonly url: string;
  /** Not needed on a box that has joined. */
  readonly token: Secret | undefined;
  readonly paths: Paths;
  readonly clock?: Clock;
}

const arriveWithinMs = 1500;
const lookEveryMs = 100;
const busyForMs = 6000;
const busyAgainMs = 500;

export async function walkToServer(options: ServerPathOptions, signal: AbortSignal): Promise<ServerPath> {
  let url = options.url;
  try {
    url = supervisorUrl(options.url);
    const known = await credentials({ ...options, url }, signal);
    return { url, met: await meet({ ...options, ...known, url }, signal) };
  } catch (error) {
    if (!(error instanceof KagentError)) throw error;
    return { url, failure: error, isCut: isCut(error) };
  }
}

/** Nothing that is this cluster's server answered. */
function isCut(error: KagentError): boolean {
  return isUnreachable(error) || cutBy.some((kind) => error instanceof kind);
}
const cutBy = [ServerUrlError, ServerSanError, CaHashDiffersError, NotKagentError, ClockSkewError] as const;

interface Credentials {
  readonly caPem: string;
  readonly proof: Proof;
}

/** By the token, as a join would; without one by the node's own certificate. */
async function credentials(options: ServerPathOptions, signal: AbortSignal): Promise<Credentials> {
  const { url, token, paths, clock = systemClock } = options;
  const parsed = token === undefined ? undefined : parseToken(token.reveal());
  if (parsed === undefined) {
    const joined = joinedProof(paths);
    if (joined !== undefined) return joined;
  }
  const caPem = await pinnedCa({ url, caHash: parsed?.caHash, clock }, signal);
  if (parsed === undefined) throw new NoTokenError(url);
  return { caPem, proof: { secret: parsed.secret } };
}

async function meet(options: ServerPathOptions & Credentials, signal: AbortSignal): Promise<Met> {
  const { url, caPem } = options;
  const id = randomUUID();
  const socket = await openProbeSocket(id);
  try {
    const mtu = mtuOf(await addressTowards(new URL(url).hostname).catch(() => '')); // a path by IPv6 alone has none
    const { opened, skewMs } = await open(options, { id, port: socket.port, mtu, tunnel: localTunnel() }, signal);
    const seen = await bothDirections({ ...options, id, socket, opened, mtu }, signal);
    const apiservers = await Promise.all(
      opened.apiserverUrls.map(async (one) => ({ url: one, failure: await failureOf(reach(one, caPem, signal)) })),
    );
    const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
    return { skewMs, opened, apiservers, mtu, ownAddresses: own, ...seen };
  } finally {
    socket.close();
  }
}

/** A server tests the path to one host once at a time. */
async function open(
  { url, caPem, proof, clock = systemClock }: ServerPathOptions & Credentials,
  body: ProbeRequest,
  signal: AbortSignal,
): Promise<{ readonly opened: ProbeOpened; readonly skewMs: number }> {
  const untilMs = clock.monotonicMs() + busyForMs;
  for (;;) {
    try {
      const askedMs = clock.now();
      const opened = await askSupervisor({ url, caPem, proof, path: '/v1/probes', body, schema: ProbeOpened }, signal);
      return { opened, skewMs: (askedMs + clock.now()) / 2 - Date.parse(opened.time) };
    } catch (error) {
      const isBusy = error instanceof KagentError && error.code === 'PROBE_BUSY';
      if (!isBusy || clock.monotonicMs() > untilMs) throw error;
      await delay(busyAgainMs, undefined, { signal });
    }
  }
}

interface Walking extends ServerPathOptions, Credentials {
  readonly id: string;
  readonly socket: ProbeSocket;
  readonly opened: ProbeOpened;
  readonly mtu: number;
}

async function bothDirections(walking: Walking, signal: AbortSignal): Promise<Pick<Met, 'there' | 'back'>> {
  const { url, caPem, proof, id, socket, opened, mtu } = walking;
  const sent = probeSizes([mtu, opened.mtu]);
  const { tunnel, port, settings } = opened;
  const address = new URL(url).hostname;
  await socket.send({ address, port, tunnel, clusterCidr: settings.clusterCidr }, sent, signal);
  const ask = () => askSupervisor({ url, caPem, proof, path: `/v1/probes/${id}`, schema: ProbeSeen }, signal);
  const there = await untilAll(async () => (await ask()).sizes, sent);
  const back = await untilAll(async () => socket.seen(), sent);
  return {
    there: { sent, came: there, isVxlanPort: tunnel !== undefined || port === vxlanPort },
    back: { sent, came: back, isVxlanPort: localTunnel() !== undefined || socket.port === vxlanPort },
  };
}

async function untilAll(look: () => Promise<readonly number[]>, sent: readonly number[]): Promise<readonly number[]> {
  const untilMs = performance.now() + arriveWithinMs;
  for (;;) {
    const came = await look();
    if (came.length >= sent.length || performance.now() > untilMs) return came;
    await delay(lookEveryMs);
  }
}

async function failureOf(work: Promise<void>): Promise<KagentError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (!(error instanceof KagentError)) throw error;
    return error;
  }
}
