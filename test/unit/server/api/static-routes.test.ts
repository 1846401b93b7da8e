import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { downloadLimits } from '../../../../src/server/api/downloads.ts';
import { fileSender } from '../../../../src/server/api/send-file.ts';
import { staticRoutes } from '../../../../src/server/api/static-routes.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function answer(path: string, limits = downloadLimits): Promise<Response> {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'charts'));
  for (const name of ['toy-1.0.0.tgz', 'secret.txt']) writeFileSync(join(dir, 'charts', name), 'abc');
  writeFileSync(join(dir, 'charts', 'large.tgz'), Buffer.alloc(300_000));
  const env = { incoming: { socket: { remoteAddress: '10.0.0.7' } } };
  return await staticRoutes(dir, fileSender(limits)).request(`/static/charts/${path}`, {}, env);
}

test('an archive is an answer to everybody', async () => {
  const found = await answer('toy-1.0.0.tgz');
  expect([found.status, found.headers.get('content-type'), await found.text()]).toEqual([
    200,
    'application/gzip',
    'abc',
  ]);
});

test('a large one is a download, of which an address has only so many at once', async () => {
  expect((await answer('large.tgz', { ...downloadLimits, mostOfAddress: 0 })).status).toBe(503);
});

test.each(['', 'secret.txt', '..%2fcharts%2ftoy-1.0.0.tgz', '%2e%2e%2fa.tgz', 'toy-1.0.0.tgz%00', 'missing.tgz'])(
  'there is nothing at %j',
  async (path) => {
    expect((await answer(path)).status).toBe(404);
  },
);
