import { httpRequest } from '../../shared/http/http.ts';
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

/**
 * Resolves when `http://<host>:<port>/healthz` answers 200.
 * Rejects with what it says instead, or the system's error.
 */
export async function healthz({ host, port }: Asked, signal: AbortSignal, options: HealthzOptions = {}): Promise<void> {
  const { path = '/healthz', withinMs } = options;
  const url = `http://${urlHost(host)}:${port}${path}`;
  const { status, body } = await httpRequest({ url, agent: false, timeoutMs: withinMs }, signal).catch((error) => {
    signal.throwIfAborted();
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    throw isLate ? new Error(`${path.slice(1)} did not answer`) : error;
  });
  if (status !== 200) throw new Error(`${path.slice(1)} answered ${status}: ${body.slice(0, maxSaidChars).trim()}`);
}
