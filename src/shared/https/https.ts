/**
 * @module
 * Requests over TLS to kube-apiserver and to other kagents.
 * Knows: node:https, deadlines, size limits. Leaves to others: what an answer means (the rooms).
 * Not undici: what is needed here is small, and node:https is in the process anyway (undici: 90 ms and 30 MB to load).
 */
import { Agent, request as openRequest } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { getCACertificates } from 'node:tls';

export interface HttpsRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Holds the connections and says whom to trust; see `httpsAgent`. */
  readonly agent: Agent;
  /** Until the whole answer is here. */
  readonly timeoutMs: number;
}

export interface HttpsReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface TlsCredentials {
  /** PEM of the only CA that is believed. */
  readonly ca: string;
  /** PEM pair that says who asks. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate is to have; that of the URL unless said. */
  readonly servername?: string;
}

/** Without it, Node's environment (`NODE_TLS_REJECT_UNAUTHORIZED`) decides whether certificates are verified. */
export const verified = { rejectUnauthorized: true } as const;

/** Connections that are verified against `credentials.ca` alone and used again. */
export function httpsAgent(credentials: TlsCredentials): Agent {
  return new Agent({ ...credentials, ...verified, keepAlive: true, maxSockets: 8, minVersion: 'TLSv1.2' });
}

/** PEM of what this box believes of servers that are none of ours: its own CAs beside Node's; none that a variable names. */
export function publicCas(): string[] {
  return [...getCACertificates('bundled'), ...getCACertificates('system')];
}

const maxReplyBytes = 64 * 1024 * 1024;

/** @throws Node's system and TLS errors as they are; a `TimeoutError` when `timeoutMs` has passed */
export async function httpsRequest(request: HttpsRequest, signal?: AbortSignal): Promise<HttpsReply> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const reply = await openHttps(request, signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxReplyBytes) throw new RangeError(`the answer of ${request.url} is over ${maxReplyBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks).toString() };
}

/** The answer as a stream, when its head is here. `signal` ends the stream too. */
export function openHttps(request: Omit<HttpsRequest, 'timeoutMs'>, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { url, method = 'GET', headers = {}, body, agent } = request;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = openRequest(url, { method, headers: { ...headers, ...length }, agent, signal }, resolve);
    // Node reports an abort as an error without the reason of the signal.
    outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    // As bytes: Node writes headers together with a text in the text's encoding, and so changes what is not ASCII in them.
    outgoing.end(body === undefined ? undefined : Buffer.from(body));
  });
}
