import { httpRequest, SteadyGet } from '../../shared/http/http.ts';
import type { SteadyReply } from '../../shared/http/http.ts';
import { urlHost } from '../../shared/url-host.ts';

/** Where a program of this node says that it is healthy. */
export interface Asked {
  readonly host: string;
  readonly port: number;
}

export interface HealthzOptions {
  readonly path?: '/healthz' | '/livez';
  /** As long as `signal` allows, unless said. */
  readonly withinMs?: number;
}

const maxSaidChars = 300;

/** For a program that was ready: resolves as `healthz` does, asked over one connection. */
export function staysHealthy(asked: Asked, path: HealthzOptions['path'] = '/healthz') {
  const get = new SteadyGet(urlOf(asked, path));
  return async (signal: AbortSignal): Promise<void> => {
    const reply = await get.ask(signal);
    if (reply === undefined) await healthz(asked, signal, { path });
    else checkHealthy(reply, path);
  };
}

/**
 * Resolves when `http://<host>:<port>/healthz` answers 200.
 * Rejects with what it says instead, or the system's error.
 */
export async function healthz(asked: Asked, signal: AbortSignal, options: HealthzOptions = {}): Promise<void> {
  const { path = '/healthz', withinMs } = options;
  const request = { url: urlOf(asked, path), agent: false, timeoutMs: withinMs } as const;
  const reply = await httpRequest(request, signal).catch((error) => {
    signal.throwIfAborted();
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    throw isLate ? new Error(`${path.slice(1)} did not answer`) : error;
  });
  checkHealthy(reply, path);
}

function checkHealthy({ status, body }: SteadyReply, path: string): void {
  if (status !== 200) throw new Error(`${path.slice(1)} answered ${status}: ${body.slice(0, maxSaidChars).trim()}`);
}

function urlOf({ host, port }: Asked, path: string): string {
  return `http://${urlHost(host)}:${port}${path}`;
}
