import { request as requestHttp, Agent as HttpAgent } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { X509Certificate } from 'node:crypto';
import { request as requestHttps, Agent as HttpsAgent } from 'node:https';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { messageOf } from '../../shared/errors.ts';
import { publicCas } from '../../shared/https/https.ts';
import { isDirect, proxiesOf } from '../../shared/proxy/proxy.ts';
import type { Tls } from './file.ts';

export interface Ask {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Agents {
  /** Those of a request to `url`: by way of a proxy, or not. */
  to(url: URL): { readonly http: HttpAgent; readonly https: HttpsAgent };
  close(): void;
}

const silenceMs = 60_000;
const maxRedirects = 5;
const maxTextBytes = 1024 * 1024;

/**
 * Connections with the certificates of an endpoint, by way of the proxy that the environment names, if any.
 * @param direct what is reached without one, as `NO_PROXY` has it
 * @throws {Error} with the files' names, if one cannot be read or is none
 */
export function agentsFor(tls: Tls, direct: () => readonly string[]): Agents {
  const secureContext = secureContextOf(tls);
  const pair = (proxyEnv?: Record<string, string>) => {
    const options = { keepAlive: true, ...(proxyEnv !== undefined && { proxyEnv }) };
    return {
      http: new HttpAgent(options),
      https: new HttpsAgent({ ...options, secureContext, rejectUnauthorized: !tls.skipVerify }),
    };
  };
  const straight = pair();
  const proxied = pair(proxiesOf(process.env));
  return {
    to: (url) => (isDirect(url, process.env, direct()) ? straight : proxied),
    close() {
      for (const { http, https } of [straight, proxied]) {
        http.destroy();
        https.destroy();
      }
    },
  };
}

/** What is wrong with the certificates that `registries.yaml` names for a registry, if anything is. */
export function problemWith(tls: Tls): string | undefined {
  if (tls.caFile === undefined && tls.certFile === undefined) return undefined;
  try {
    secureContextOf(tls);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function secureContextOf({ caFile, certFile, keyFile }: Tls): SecureContext {
  try {
    // As in containerd: what the system believes, and the endpoint's own CA.
    const ca = publicCas();
    const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')];
    for (const pem of own) new X509Certificate(pem); // or it throws: TLS passes over a CA that is none
    return createSecureContext({
      ca: [...ca, ...own],
      ...(certFile !== undefined && { cert: readFileSync(certFile) }),
      ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
      minVersion: 'TLSv1.2',
    });
  } catch (cause) {
    const files = [caFile, certFile, keyFile].filter((file) => file !== undefined).join(', ');
    throw new Error(`the certificates in ${files} cannot be used: ${messageOf(cause)}`, { cause });
  }
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
    const { http, https } = agents.to(url);
    const request = isTls
      ? requestHttps(url, { ...options, agent: https })
      : requestHttp(url, { ...options, agent: http });
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
