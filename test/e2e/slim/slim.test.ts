/** The executable without components, on a box that fetches them. */
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBox } from '../../helpers/cluster.ts';
import type { BoxWithLab } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';

const dist = resolve(import.meta.dirname, '../../../dist');
let box: BoxWithLab;

beforeAll(async () => {
  box = await createBox('slim');
  await box.sh(`install -m 755 '${join(dist, 'kagent-slim')}' /usr/local/bin/kagent`);
});
afterAll(() => box?.wipe());

test('without a release address it says where components may come from', async () => {
  const { code, stderr } = await box.kagent(['server']);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('with --bundle FILE') });
});

test('SIGTERM while it waits for its components ends it with exit code 0', async () => {
  const silent = box.run(['socat', 'TCP-LISTEN:8001,bind=127.0.0.1', 'SYSTEM:cat >/dev/null']);
  await eventually(() => box.sh('ss -Hltn sport = :8001').then((found) => found !== ''), { what: 'a silent server' });
  const server = box.run(['kagent', 'server', '--bundle', 'http://127.0.0.1:8001/bundle']);
  await eventually(() => box.sh('ss -Htn state established sport = :8001').then((found) => found !== ''), {
    what: 'its request',
  });
  expect(server.output()).toContain('fetching the components');
  await box.signal(Number(await box.sh('pidof -s kagent')), 'TERM');
  expect(await server.exited).toBe(0);
  await silent.exited;
});

test('with an address it fetches them, becomes a cluster, and does not fetch them again', async () => {
  const web = box.run(['python3', '-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', dist, '8000']);
  await eventually(() => web.output().includes('Serving'), { what: 'a web server' });
  const flags = ['--bundle', 'http://127.0.0.1:8000/bundle'];
  const server = await box.startServer(...flags);
  expect(await box.kubectl('get', 'nodes')).toContain(' Ready ');
  await box.signal((await box.status()).pid, 'TERM');
  await server.exited;
  await box.startServer(...flags);
  expect(web.output().match(/GET \/bundle /g)).toHaveLength(1);
});
