import { get } from 'node:http';

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
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timeout = withinMs === undefined ? {} : { timeout: withinMs };
  const request = get({ host, port, path, agent: false, signal, ...timeout }, (answer) => {
    let said = '';
    answer.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, maxSaidChars)));
    answer.once('error', reject);
    answer.once('end', () => {
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`${path.slice(1)} answered ${answer.statusCode}: ${said.trim()}`));
    });
  });
  request.once('error', reject);
  request.once('timeout', () => request.destroy(new Error(`${path.slice(1)} did not answer`)));
  await promise;
}
