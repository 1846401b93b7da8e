import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { settingsOfHost } from '../../../src/cli/cli.ts';
import { createServiceManager, hostAt } from '../../../src/host/service/service.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

function box() {
  const root = temporaryDir();
  const host = hostAt(root);
  mkdirSync(join(root, 'etc/kagent/config.yaml.d'), { recursive: true });
  const manager = createServiceManager('none', { host, readiness: () => Promise.reject(new Error('not asked')) });
  return {
    root,
    write: (name: string, text: string) => writeFileSync(join(root, 'etc/kagent', name), text),
    install: (name: string, args: readonly string[], environment = '') => {
      const files = manager.files(name);
      writeFileSync(files.definition, manager.text({ name, executable: '/bin/kagent', args }));
      writeFileSync(files.environment, environment);
    },
    settings: (env: NodeJS.ProcessEnv = {}, mode: 'server' | 'agent' = 'server') =>
      settingsOfHost({ host, env, mode, statusSocket: join(root, 'kagent.sock') }),
  };
}

test('a box without a service has what config.yaml and its drop-ins say last', async () => {
  const { write, settings } = box();
  write('config.yaml', 'data-dir: /mnt/a\netcd-snapshot-dir: /mnt/snapshots\n');
  write('config.yaml.d/10.yaml', 'data-dir: /mnt/b\n');
  const found = await settings();
  expect(found).toMatchObject({ dataDir: '/mnt/b', source: 'config.yaml and the defaults', isRunning: false });
  expect(found.said('etcd-snapshot-dir')).toBe('/mnt/snapshots');
  expect(found.said('write-kubeconfig')).toBeUndefined();
});

test('the files are read once: all that is asked of them is of the same moment', async () => {
  const { write, settings } = box();
  write('config.yaml', 'data-dir: /mnt/a\nwrite-kubeconfig: /mnt/a.yaml\n');
  const found = await settings();
  write('config.yaml', 'data-dir: /mnt/b\nwrite-kubeconfig: /mnt/b.yaml\n');
  expect([found.dataDir, found.said('write-kubeconfig')]).toEqual(['/mnt/a', '/mnt/a.yaml']);
});

test("an installed service's flags go before its environment file, and that before config.yaml", async () => {
  const { write, install, settings } = box();
  write('config.yaml', 'data-dir: /mnt/a\netcd-snapshot-dir: /mnt/snapshots\nwrite-kubeconfig: /mnt/kubeconfig\n');
  install(
    'kagent',
    ['server', '--data-dir', '/mnt/c'],
    "KAGENT_DATA_DIR=/mnt/b\nKAGENT_ETCD_SNAPSHOT_DIR='/mnt/e f'\n",
  );
  const found = await settings();
  expect(found).toMatchObject({ dataDir: '/mnt/c', source: 'the service kagent' });
  expect(found.said('etcd-snapshot-dir')).toBe('/mnt/e f');
  expect(found.said('write-kubeconfig')).toBe('/mnt/kubeconfig');
});

test.each([
  [['server', '--config=/CONFIG'], ''],
  [['server', '-c', '/CONFIG'], ''],
  [['server'], 'KAGENT_CONFIG_FILE=/CONFIG\n'],
])('a service with %j and the environment %j is read by its own configuration file', async (args, environment) => {
  const { root, write, install, settings } = box();
  write('config.yaml', 'data-dir: /mnt/a\n');
  write('mine.yaml', 'data-dir: /mnt/mine\n');
  const mine = join(root, 'etc/kagent/mine.yaml');
  install(
    'kagent',
    args.map((word) => word.replace('/CONFIG', mine)),
    environment.replace('/CONFIG', mine),
  );
  expect((await settings()).dataDir).toBe('/mnt/mine');
});

test('of two services the one that is asked about counts', async () => {
  const { install, settings } = box();
  install('kagent', ['server', '-d', '/mnt/server']);
  install('kagent-agent', ['agent', '-d', '/mnt/agent', '-d', '/mnt/last']);
  expect((await settings()).dataDir).toBe('/mnt/server');
  expect((await settings({}, 'agent')).dataDir).toBe('/mnt/last');
});

test("the caller's own variable goes before all that", async () => {
  const { install, settings } = box();
  install('kagent', ['server', '-d', '/mnt/server']);
  const found = await settings({ KAGENT_DATA_DIR: '/mnt/asked' });
  expect(found).toMatchObject({ dataDir: '/mnt/asked', source: 'KAGENT_DATA_DIR' });
});

test('a kagent that runs says itself where its data is, whatever was installed', async () => {
  const { root, install, settings } = box();
  install('kagent', ['server', '-d', '/mnt/server']);
  const status = {
    mode: 'server',
    version: '1',
    pid: process.pid,
    since: '',
    dataDir: '/mnt/running',
    isReady: true,
    components: [],
    events: [],
  };
  const server = createServer((_, response) => response.end(JSON.stringify(status)));
  server.listen(join(root, 'kagent.sock'));
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  expect(await settings()).toMatchObject({
    dataDir: '/mnt/running',
    source: 'the kagent that runs here',
    isRunning: true,
  });
});
