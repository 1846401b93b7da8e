import { get } from 'node:http';

/** Resolves when `http://127.0.0.1:<port>/healthz` answers 200. */
export async function healthz(port: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const request = get({ host: '127.0.0.1', port, path: '/healthz', agent: false, timeout: 2000, signal }, (answer) => {
    answer.resume();
    if (answer.statusCode === 200) resolve();
    else reject(new Error(`healthz answered ${answer.statusCode}`));
  });
  request.once('error', reject);
  request.once('timeout', () => request.destroy(new Error('healthz did not answer')));
  await promise;
}
