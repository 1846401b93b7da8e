/** A server whose cluster is in a datastore that somebody else keeps: the real ones, from Debian's packages and upstream. */
import { cp } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBox } from '../../helpers/cluster.ts';
import type { BoxWithLab, Running } from '../../helpers/cluster.ts';
import { webDeployment } from '../../helpers/manifests.ts';
import { eventually } from '../../helpers/wait.ts';
import { etcd, mariadb, password, postgres } from './databases.ts';
import type { Database } from './databases.ts';

/** The longer run is on all of them: `KAGENT_SECOND_SERVER_ON=PostgreSQL,MariaDB,etcd`. */
const secondServerOn = (process.env['KAGENT_SECOND_SERVER_ON'] ?? 'PostgreSQL').split(',');
const without = ['--disable', 'traefik,metrics-server,local-storage'];

describe.each([
  ['PostgreSQL', postgres],
  ['MariaDB', mariadb],
  ['etcd', etcd],
] as const)('%s', (product, make) => {
  let box: BoxWithLab;
  let database: Database;
  let server: Running;
  const condition = async (name: string) =>
    (await box.status()).components.find((component) => component.name === name)?.condition;
  const untilCondition = (status: string, withinMs = 30_000) =>
    eventually(async () => (await condition('datastore'))?.status === status, {
      withinMs,
      what: `a datastore that is ${status}`,
    });

  beforeAll(async () => {
    box = await createBox(`external-datastore-${product}`);
    database = await make(box);
  });
  afterAll(() => box?.wipe());

  test('before it runs the server waits, and says for what', async () => {
    server = box.run(['kagent', 'server', ...database.flags, ...without]);
    const waiting = await eventually(
      async () => {
        const first = await condition(product === 'etcd' ? 'datastore' : 'kine');
        return first?.status === 'False' && first.message !== '' ? first.message : undefined;
      },
      { withinMs: 60_000, what: 'a component that waits' },
    );
    expect(waiting).toContain(database.name);
    expect(waiting).toMatch(/has not answered it yet|does not answer: /);
    await database.start();
    await eventually(async () => (await box.tryKubectl('wait', 'node', '--all', '--for=condition=Ready')).code === 0, {
      withinMs: 120_000,
      what: 'a Ready node',
    });
    expect(server.output()).not.toContain(password);
  });

  test('pods run, and nothing of the cluster is on this box', async () => {
    await box.apply(webDeployment(2));
    await box.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    expect(await box.sh('ls /var/lib/kagent/server/db 2>/dev/null || true')).toBe('');
  });

  test('its password is in no log, command line or file of kagent', async () => {
    const places = '/var/lib/kagent /run/kagent /etc/kagent';
    expect(await box.sh(`grep -rlF '${password}' ${places} || true`)).toBe('');
    const mine = `for pid in $(pgrep -x kine); do tr '\\0' '\\n' </proc/$pid/cmdline; done`;
    expect(await box.sh(mine)).not.toContain(password);
  });

  test('killed under writes it is not answering, and when it is back every answered write is there', async () => {
    const written: number[] = [];
    let isDone = false;
    const writing = (async () => {
      for (let index = 0; !isDone; index += 1) {
        const made = await box.tryKubectl(
          'create',
          'configmap',
          `w-${index}`,
          `--from-literal=i=${index}`,
          '--request-timeout=5s',
        );
        if (made.code === 0) written.push(index);
      }
    })();
    await eventually(() => written.length > 5, { withinMs: 30_000, what: 'some writes' });
    await database.kill();
    await untilCondition('False');
    expect((await condition('datastore'))?.message).toContain(database.name);
    const before = written.length;
    await database.start();
    await untilCondition('True', 60_000);
    await eventually(() => written.length > before + 3, { withinMs: 60_000, what: 'writes that go on' });
    isDone = true;
    await writing;
    const there = await box.kubectl('get', 'configmaps', '-o', 'jsonpath={.items[*].metadata.name}');
    expect(there.split(' ')).toEqual(expect.arrayContaining(written.map((index) => `w-${index}`)));
    expect(
      await box.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'),
    ).toBe('0 0');
  }, 240_000);

  test('the server restarted finds its cluster there, and without the flags begins no other', async () => {
    await box.signal((await box.status()).pid, 'TERM');
    expect(await server.exited).toBe(0);
    const forgotten = await box.kagent(['server', ...without], { timeoutMs: 60_000 });
    expect(forgotten.stderr).toContain(
      `this server's cluster is in ${database.name}, and --datastore-endpoint is not said`,
    );
    expect(forgotten.code).toBe(2);
    await box.startServer(...database.flags, ...without);
    expect(await box.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}')).toBe('2');
  });

  if (!secondServerOn.includes(product)) return;
  test('a second server has the same cluster, and goes on with it when kagent stops on the first one', async () => {
    const second = await box.addBox('s2', 12);
    if (product === 'etcd') await cp(box.path('/etc/etcd'), second.path('/etc/etcd'), { recursive: true });
    const token = (await box.sh('cat /var/lib/kagent/server/token')).trim();
    const url = `https://${box.host.address}:9345`;
    await second.startServer('--server', url, '--token', token, ...database.flags, ...without);
    await second.kubectl('wait', 'node', 's1', 's2', '--for=condition=Ready', '--timeout=60s');
    await box.kubectl('create', 'configmap', 'by-the-first');
    await second.kubectl('get', 'configmap', 'by-the-first');
    await box.signal((await box.status()).pid, 'TERM');
    await box.running().exited;
    await second.kubectl('scale', 'deployment', 'web', '--replicas=3');
    await second.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    expect(await second.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')).toBe('3');
  });
});
