import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { staticRoutes } from '../../../../src/server/api/static-routes.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function answer(path: string): Promise<Response> {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'charts'));
  for (const name of ['toy-1.0.0.tgz', 'secret.txt']) writeFileSync(join(dir, 'charts', name), 'abc');
  return await staticRoutes(dir).request(`/static/charts/${path}`);
}

test('an archive is an answer to everybody', async () => {
  const found = await answer('toy-1.0.0.tgz');
  expect([found.status, found.headers.get('content-type'), await found.text()]).toEqual([
    200,
    'application/gzip',
    'abc',
  ]);
});

test.each(['', 'secret.txt', '..%2fcharts%2ftoy-1.0.0.tgz', '%2e%2e%2fa.tgz', 'toy-1.0.0.tgz%00', 'missing.tgz'])(
  'there is nothing at %j',
  async (path) => {
    expect((await answer(path)).status).toBe(404);
  },
);
