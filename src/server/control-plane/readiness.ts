import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';

/** Resolves if `url` answers 200 to a client that verifies it: a page that merely contains `ok` is not enough. */
export function answersOk(url: string, caPem: string): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    // One agent per look: a process that was replaced must not be asked over its predecessor's connection.
    const agent = httpsAgent({ ca: caPem });
    try {
      const { status, body } = await httpsRequest({ url, agent, timeoutMs: 5000 }, signal);
      if (status !== 200) throw new Error(`${url} answers ${status}: ${body.slice(0, 200)}`);
    } finally {
      agent.destroy();
    }
  };
}
