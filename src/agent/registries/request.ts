import { request as requestHttp, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { request as requestHttps, Agent as HttpsAgent } from 'node:https';
import { createSecureContext } from 'node:tls';
import { publicCas } from '../../shared/https/https.ts';
import type { Tls } from './file.ts';
import { readBytes, readText } from '../../shared/files/files.ts';

export interface Ask {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

const silenceMs = 60_000;
const maxRedirects = 5;
const maxTextBytes = 1024 * 1024;

/** Connections with the certificates of an endpoint, by way of the proxy that the environment names, if any. */
export function agentsFor({ caFile, certFile, keyFile, skipVerify }: Tls): Agents {
  const proxyEnv = process.env;
  // As in containerd: what the system believes, and the endpoint's own CA.
  const ca = publicCas();
  const secureContext = createSecureContext({
    ca: caFile === undefined ? ca : [...ca, readText(caFile)],
    ...(certFile !== undefined && { cert: readBytes(certFile) }),
    ...(keyFile !== undefined && { key: readBytes(keyFile) }),
    minVersion: 'TLSv1.2',
  });
  return {
    http: new HttpAgent({ keepAlive: true, proxyEnv }),
    https: new HttpsAgent({ keepAlive: true, proxyEnv, secureContext, rejectUnauthorized: !skipVerify }),
  };
}

export interface Answer {
  readonly response: IncomingMessage;
  /** Whose answer it is, after redirects: `https://storage.example.com`. */
  readonly origin: string;
}

/** Follows redirects; what proves who asks is not shown to another origin. */
export async function follow(first: Ask, agents: Agents, signal: AbortSignal): Promise<Answer> {
  let ask = first;
  for (let left = maxRedirects; ; left -= 1) {
    const response = await send(ask, agents, signal);
    const { location } = response.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0) && location !== undefined;
    if (!isRedirect || left === 0 || ask.body !== undefined) return { response, origin: ask.url.origin };
    discard(response);
    const url = new URL(location, ask.url);
    const { authorization, ...others } = ask.headers;
    const isSameOrigin = url.origin === ask.url.origin && authorization !== undefined;
    ask = { ...ask, url, headers: isSameOrigin ? { ...others, authorization } : others };
  }
}

function send({ method, url, headers, body }: Ask, agents: Agents, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isTls = url.protocol === 'https:';
    const options = { method, headers: { ...headers }, signal, timeout: silenceMs };
    const request = isTls
      ? requestHttps(url, { ...options, agent: agents.https })
      : requestHttp(url, { ...options, agent: agents.http });
    request.once('response', resolve);
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error(`${url.host} is silent for ${silenceMs / 1000} s`)));
    request.end(body);
  });
}

/** The whole of a short answer, whatever length it says or does not say. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxTextBytes) throw new RangeError(`the answer is over ${maxTextBytes} bytes`); // and is closed
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An answer that nobody reads: what is short is let in, so that its connection is used again. */
export function discard(response: IncomingMessage): void {
  if (Number(response.headers['content-length'] ?? Infinity) <= maxTextBytes) response.resume();
  else response.destroy();
}
