import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { isDirect, proxiesOf } from '../proxy/proxy.ts';

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

export const minVersion = 'TLSv1.2';

/** Connections that are verified against `credentials.ca` alone and used again: so many at once, what is more waits. */
export function httpsAgent(credentials: TlsCredentials, maxSockets = 8): HttpsAgent {
  return new HttpsAgent({ ...credentials, ...verified, keepAlive: true, maxSockets, minVersion });
}

/** For what is believed by something else than its certificate, and for nothing secret. */
export function unverifiedAgent(): HttpsAgent {
  return new HttpsAgent({ rejectUnauthorized: false, minVersion });
}

/** PEM of what this box believes of servers that are none of ours: its own CAs beside Node's; none that a variable names. */
export function publicCas(): string[] {
  return [...getCACertificates('bundled'), ...getCACertificates('system')];
}

/** Connections to what is outside of the cluster, used again until they are closed. */
export interface OutsideAgents {
  /** That of a request to `url`: by way of a proxy, or not. */
  to(url: URL): HttpAgent;
  close(): void;
}

/**
 * By way of the proxy that the environment names, if any.
 * @param direct what is reached without one, beside what `NO_PROXY` has
 */
export function outsideAgents(options: {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  readonly direct: () => readonly string[];
}): OutsideAgents {
  const { secureContext, rejectUnauthorized, direct } = options;
  const pair = (proxyEnv?: Record<string, string>) => {
    const common = { keepAlive: true, ...(proxyEnv !== undefined && { proxyEnv }) };
    return {
      'http:': new HttpAgent(common),
      'https:': new HttpsAgent({ ...common, secureContext, rejectUnauthorized }),
    };
  };
  const straight = pair();
  const proxied = pair(proxiesOf(process.env));
  return {
    to(url) {
      const { 'http:': http, 'https:': https } = isDirect(url, process.env, direct()) ? straight : proxied;
      return url.protocol === 'https:' ? https : http;
    },
    close() {
      for (const agent of [straight, proxied].flatMap((agents) => Object.values(agents))) agent.destroy();
    },
  };
}
