import { get } from 'node:http';

/** Where a program of this node says that it is healthy. */
export interface Asked {
  readonly host: string;
  readonly port: number;
}

/** Resolves when `http://<host>:<port>/healthz` answers 200. */
export async function healthz({ host, port }: Asked, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const request = get({ host, port, path: '/healthz', agent: false, timeout: 2000, signal }, (answer) => {
    answer.resume();
    if (answer.statusCode === 200) resolve();
    else reject(new Error(`healthz answered ${answer.statusCode}`));
  });
  request.once('error', reject);
  request.once('timeout', () => request.destroy(new Error('healthz did not answer')));
  await promise;
}
