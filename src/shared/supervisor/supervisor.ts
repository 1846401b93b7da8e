/**
 * @module
 * Questions to the supervisor of a server, over TLS that the hash in a token, or a CA that is known, vouches for.
 * Knows: pinning a CA, how a question fails and what helps then. Leaves to others: which questions there are (protocol/).
 */
import * as z from 'zod';
import { caHashOf } from '../certificates/certificates.ts';
import type { Clock } from '../clock.ts';
import { messageOf, systemCode } from '../errors.ts';
import { httpRequest, httpsAgent, unverifiedAgent } from '../http/http.ts';
import type { HttpReply } from '../http/http.ts';
import { Refusal } from '../protocol/refusal.ts';
import { JoinResponse } from '../protocol/join.ts';
import type { JoinRequest } from '../protocol/join.ts';
import type { Secret } from '../secret.ts';
import { bearerOf } from '../token/token.ts';
import {
  CaHashDiffersError,
  ClockSkewError,
  JoinRefusedError,
  NotKagentError,
  ServerNameError,
  ServerRefusedError,
  ServerSanError,
  ServerTimeoutError,
  ServerTlsError,
  ServerUnreachableError,
} from './errors.ts';
import { jsonIfValid } from '../json/json.ts';

const usualTimeoutMs = 10_000;
const allowedSkewMs = 60_000;

/**
 * The server's CA, fetched without trust and believed because its hash is the token's. Nothing secret is sent here.
 * @throws {CaHashDiffersError} @throws {ClockSkewError} @throws {NotKagentError} and what `ask` throws
 */
export async function pinnedCa(
  options: {
    readonly url: string;
    readonly caHash: string | undefined;
    readonly clock: Clock;
    readonly timeoutMs?: number | undefined;
  },
  signal: AbortSignal,
): Promise<string> {
  const { url, caHash, clock, timeoutMs = usualTimeoutMs } = options;
  const agent = unverifiedAgent();
  const reply = await ask(url, { url: `${url}/cacerts`, agent, timeoutMs }, signal);
  if (reply.status !== 200) throw new NotKagentError(url, `GET /cacerts answers ${reply.status}`);
  const caPem = reply.body;
  if (!caPem.includes('-----BEGIN CERTIFICATE-----'))
    throw new NotKagentError(url, 'GET /cacerts gives no certificate');
  const actual = caHashOf(caPem);
  if (caHash !== undefined && caHash !== actual) throw new CaHashDiffersError(url, caHash, actual);
  // Said here, by name: later it would look like a certificate that is not valid yet.
  const skewMs = clock.now() - Date.parse(reply.headers.date ?? '');
  if (Math.abs(skewMs) > allowedSkewMs) throw new ClockSkewError(url, skewMs);
  return caPem;
}

/** By a token, or by the certificate of a node that has joined. */
export type Proof = { readonly secret: Secret } | { readonly cert: string; readonly key: string };

/** Over TLS that `caPem` alone vouches for. @throws {JoinRefusedError} @throws {NotKagentError} and what `ask` throws */
export async function requestJoin(
  options: Pick<Question<JoinResponse>, 'url' | 'caPem' | 'proof' | 'timeoutMs'> & { readonly request: JoinRequest },
  signal: AbortSignal,
): Promise<JoinResponse> {
  return await askSupervisor({ ...options, path: '/v1/join', body: options.request, schema: JoinResponse }, signal);
}

export interface Question<T> {
  readonly url: string;
  readonly caPem: string;
  readonly proof: Proof;
  readonly path: string;
  /** With one it is a POST. */
  readonly body?: unknown;
  readonly schema: z.ZodType<T>;
  readonly timeoutMs?: number | undefined;
}

/** One question to the supervisor of a server, by somebody who may ask. Throws as `requestJoin` does. */
export async function askSupervisor<T>(question: Question<T>, signal: AbortSignal): Promise<T> {
  const { url, caPem, proof, path, schema, timeoutMs = usualTimeoutMs } = question;
  const agent = httpsAgent({ ca: caPem, ...('cert' in proof && proof) });
  try {
    const bearer = 'secret' in proof ? { authorization: bearerOf(proof.secret) } : {};
    const headers = { ...bearer, 'content-type': 'application/json' };
    const sent = question.body === undefined ? {} : { method: 'POST', body: JSON.stringify(question.body) };
    const reply = await ask(url, { url: `${url}${path}`, headers, ...sent, agent, timeoutMs }, signal);
    if (reply.status !== 200) throw refusalOf(url, path, reply);
    const parsed = schema.safeParse(jsonIfValid(reply.body));
    if (!parsed.success)
      throw new NotKagentError(url, `its answer is not understood: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  } finally {
    agent.destroy();
  }
}

/** Whether something that `caPem` vouches for answers there, whatever it says. Throws what `ask` throws. */
export async function reach(url: string, caPem: string, signal: AbortSignal): Promise<void> {
  const agent = httpsAgent({ ca: caPem });
  try {
    await ask(url, { url: `${url}/livez`, agent, timeoutMs: usualTimeoutMs }, signal);
  } finally {
    agent.destroy();
  }
}

function refusalOf(url: string, path: string, { status, body }: HttpReply): Error {
  const refusal = Refusal.safeParse(jsonIfValid(body));
  if (!refusal.success) return new NotKagentError(url, `${path} answers ${status}`);
  return new JoinRefusedError(url, { status, ...refusal.data });
}

async function ask(url: string, request: Parameters<typeof httpRequest>[0], signal: AbortSignal): Promise<HttpReply> {
  try {
    return await httpRequest(request, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(url, error);
  }
}

/** Node's error codes in words that say what to do. */
function failureOf(url: string, error: unknown): unknown {
  const code = systemCode(error) ?? '';
  if (code === 'ECONNREFUSED') return new ServerRefusedError(url, error);
  if (code === 'ETIMEDOUT' || (error instanceof Error && error.name === 'TimeoutError')) {
    return new ServerTimeoutError(url, error);
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new ServerNameError(url, error);
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return new ServerUnreachableError(url, code, error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return new ServerSanError(url, error);
  const isTls = /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|UNABLE_|SELF_SIGNED|DEPTH_ZERO|INVALID_)/.test(code);
  if (isTls || code === 'ECONNRESET' || code === 'EPIPE') return new ServerTlsError(url, code, error);
  return new ServerUnreachableError(url, code === '' ? messageOf(error) : code, error);
}

export * from './errors.ts';
