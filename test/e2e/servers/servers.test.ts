/** A cluster grows from one server with a datastore of its own to three on real etcd, and outlives the loss of each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webDeployment } from '../../helpers/manifests.ts';
import { listNodes, podsOf } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';

const without = ['--disable', 'traefik,local-storage'];
/** The longer run, of which docs/testing.md tells: `KAGENT_SERVERS_OFF=3`. */
const serversOff = Number(process.env['KAGENT_SERVERS_OFF'] ?? 1);
let nodes: Nodes;
let a1: Box;
const servers: Box[] = [];

interface MemberList {
  readonly members: readonly { readonly name: string; readonly isLearner?: boolean }[];
}

/** Names of the servers that vote. */
async function voters(at: Box): Promise<readonly string[]> {
  const { code, stdout, stderr } = await at.kagent(['etcdctl', 'member', 'list', '-w', 'json']);
  if (code !== 0) throw new Error(stderr);
  const { members } = JSON.parse(stdout) as MemberList;
  return members.flatMap(({ name, isLearner }) => (isLearner === true ? [] : [name.replace(/-\w{8}$/, '')])).toSorted();
}

const ready = async (at: Box) =>
  (await listNodes(at)).filter(({ status }) => status === 'Ready').map(({ name }) => name);
const untilReady = (at: Box, names: readonly string[], withinMs = 90_000) =>
  eventually(async () => (await ready(at)).join() === names.join(), { withinMs, what: `${names.join()} Ready` });

beforeAll(async () => {
  nodes = await createNodes('servers', { agents: 1, serverFlags: without });
  servers.push(nodes.server, await nodes.addBox('s2', 12), await nodes.addBox('s3', 13));
  [a1] = nodes.agents as [Box];
  await nodes.server.apply(webDeployment(4));
  await nodes.server.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
});
afterAll(() => nodes?.wipe());

/** What does not change when a cluster moves: each object with what it is, and the version of its last change. */
const objects = async (at: Box) => {
  const columns = 'KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,VERSION:.metadata.resourceVersion';
  const kinds = 'configmaps,secrets,serviceaccounts,services,deployments,clusterroles,customresourcedefinitions';
  return (await at.kubectl('get', kinds, '-A', '-o', `custom-columns=${columns}`)).split('\n').toSorted();
};
const restarts = async (at: Box) =>
  (await podsOf(at, 'app=web')).map(({ metadata, status }) => [
    metadata.uid,
    status.containerStatuses?.map(({ restartCount }) => restartCount),
  ]);

describe('three servers', () => {
  test('a server’s own datastore moves into an etcd with every object, its version and its history, and no pod is restarted', async () => {
    const [s1] = servers as [Box];
    await s1.kubectl('create', 'configmap', 'written-before');
    const before = await objects(s1);
    const pods = await restarts(s1);
    await s1.signal((await s1.status()).pid, 'TERM');
    await s1.running().exited;
    await s1.startServer('--cluster-init', ...without);
    expect(await voters(s1)).toEqual(['s1']);
    // Its own are written anew at each start.
    const isKept = new Set(await objects(s1));
    const lost = before.filter(
      (one) => !isKept.has(one) && !/kube-system|extension-apiserver|kube-root-ca|kagent/.test(one),
    );
    expect(lost).toEqual([]);
    expect(await restarts(s1)).toEqual(pods);
    expect(await s1.sh('ls /var/lib/kagent/server/db')).toMatch(/before-etcd-.*\netcd\n/);
    await s1.kubectl('create', 'configmap', 'written-after');
  });

  test('two more join with the server token, and no pod is restarted', async () => {
    const [s1, s2, s3] = servers as [Box, Box, Box];
    const before = await restarts(s1);
    const token = (await s1.sh('cat /var/lib/kagent/server/token')).trim();
    await s2.startServer('--server', nodes.url, '--token', token, ...without);
    await s3.startServer('--server', `https://${s2.host.address}:9345`, '--token', token, ...without);
    await untilReady(s1, ['a1', 's1', 's2', 's3']);
    for (const server of servers) expect(await voters(server)).toEqual(['s1', 's2', 's3']);
    expect(await restarts(s3)).toEqual(before);
  });

  test('every server reaches every node: logs, exec and metrics', async () => {
    for (const server of servers) {
      await eventually(async () => (await listNodes(server)).every(({ connected }) => connected), {
        withinMs: 30_000,
        what: `all nodes connected to ${server.host.name}`,
      });
      for (const { metadata } of await podsOf(server, 'app=web'))
        expect(await server.kubectl('exec', metadata.name, '--', 'hostname')).toBe(`${metadata.name}\n`);
      await eventually(async () => (await server.tryKubectl('top', 'nodes')).code === 0, {
        withinMs: 60_000,
        what: `metrics through ${server.host.name}`,
      });
    }
  });

  test('servers lose their power, one after the other: the others serve the API, nothing that was answered is lost, and each is back by itself', async () => {
    for (const [index, server] of servers.slice(0, serversOff).entries()) {
      const other = servers[(index + 1) % servers.length] as Box;
      const fromMs = performance.now();
      await server.host.off();
      let answered = 0;
      const write = async () => {
        const name = `off-${index}-${answered}`;
        const { code } = await other.tryKubectl('create', 'configmap', name, '--request-timeout=2s');
        if (code === 0) answered += 1;
        return answered > 5;
      };
      await eventually(write, { withinMs: 60_000, everyMs: 50, what: 'writes' });
      const writesMs = Math.round(performance.now() - fromMs);
      await eventually(
        async () => (await a1.sh('curl -sk -m 2 https://127.0.0.1:6444/version || true')).includes('gitVersion'),
        {
          withinMs: 30_000,
          what: 'the API by way of the agent',
        },
      );
      console.log(`${server.host.name} off: six writes after ${writesMs} ms`);
      await server.host.up();
      await server.startServer(...without);
      for (let written = 0; written < answered; written++)
        expect(await server.kubectl('get', 'configmap', `off-${index}-${written}`, '-o', 'name')).toContain('off-');
      await untilReady(server, ['a1', 's1', 's2', 's3']);
    }
  });

  test('a server that is removed is out of the etcd, and two go on', async () => {
    const [s1, , s3] = servers as [Box, Box, Box];
    await s3.host.off();
    await s1.kubectl('delete', 'node', 's3');
    await eventually(async () => (await voters(s1)).join() === 's1,s2', { withinMs: 60_000, what: 'two members' });
    expect(await ready(s1)).toEqual(['a1', 's1', 's2']);
  });
});

test('the ports of the etcd have no answer for who shows no certificate of it', async () => {
  const { address } = nodes.server.host;
  const pki = '/var/lib/kagent/agent/pki';
  for (const port of [2379, 2380])
    for (const shown of ['', `--cert ${pki}/kubelet.crt --key ${pki}/kubelet.key`]) {
      const asked = `curl -sk -m 5 ${shown} https://${address}:${port}/version || echo refused`;
      expect(await a1.sh(asked)).toBe('refused\n');
    }
});

test('a snapshot of the etcd is saved, by hand and with what kagent keeps of it', async () => {
  const { code, stdout, stderr } = await nodes.server.kagent(['etcd-snapshot', 'save', '/var/tmp/etcd.snapshot']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/^\/var\/tmp\/etcd.snapshot \(.* MiB, sha256 [0-9a-f]{64}\)/);
  const members = await nodes.server.kagent(['etcd', 'member', 'ls']);
  expect(members.stdout).toMatch(/^NAME +PEER +ROLE +ID\ns\d-\w{8} +https:\/\/10.* +voter +\w+\n/);
  const etcd = await nodes.server.kagent(['etcd', 'status']);
  expect(etcd.stdout).toMatch(/^leader +s\d-\w{8}.*, term \d+\nbehind +0 of \d+ entries\n/);
  const status = await nodes.server.kagent(['datastore', 'status']);
  expect(status.stderr).toContain("ask it with 'kagent etcdctl'");
});

describe('when all others are lost', () => {
  const reset = async (box: Box, ...flags: readonly string[]) => {
    const running = box.run(['kagent', 'server', '--cluster-reset', ...flags, ...without]);
    expect([await running.exited, running.output()]).toEqual([
      0,
      expect.stringContaining('the cluster has one server now'),
    ]);
  };
  const stop = async (box: Box) => {
    await box.signal((await box.status()).pid, 'TERM');
    await box.running().exited;
  };

  test('the last server makes a cluster of one of what it has, once, and another one joins it anew', async () => {
    const [s1, s2] = servers as [Box, Box];
    await s1.kubectl('create', 'configmap', 'before-reset');
    await s2.host.off();
    await stop(s1);
    await reset(s1);
    const again = s1.run(['kagent', 'server', '--cluster-reset', ...without]);
    expect([await again.exited, again.output()]).toEqual([2, expect.stringContaining('start without it')]);
    await s1.startServer(...without);
    expect(await voters(s1)).toEqual(['s1']);
    await s1.kubectl('get', 'configmap', 'before-reset');
    const token = (await s1.sh('cat /var/lib/kagent/server/token')).trim();
    await s2.host.up();
    await s2.sh('rm -r /var/lib/kagent/server/db/etcd');
    await s2.startServer('--server', nodes.url, '--token', token, ...without);
    expect(await voters(s2)).toEqual(['s1', 's2']);
    await untilReady(s2, ['a1', 's1', 's2']);
  });

  test('a snapshot becomes a cluster of one: what was written later is gone, and nodes are there', async () => {
    const [s1, s2] = servers as [Box, Box];
    await s2.host.off();
    await stop(s1);
    await reset(s1, '--cluster-reset-restore-path', '/var/tmp/etcd.snapshot');
    await s1.startServer(...without);
    expect((await s1.tryKubectl('get', 'configmap', 'before-reset')).stderr).toContain('not found');
    await s1.kubectl('get', 'configmap', 'written-after');
    expect(await s1.sh('ls /var/lib/kagent/server/db')).toMatch(/^etcd-before-/m);
    await eventually(async () => (await ready(s1)).includes('a1'), { withinMs: 60_000, what: 'the agent' });
  });
});

test('a server that shows a token for agents is refused with a sentence', async () => {
  const { stdout } = await nodes.server.kagent(['token', 'create']);
  const s4 = await nodes.addBox('s4', 14);
  const running = s4.run(['kagent', 'server', '--server', nodes.url, '--token', stdout.trim(), ...without]);
  expect(await running.exited).not.toBe(0);
  expect(running.output()).toContain('server/token');
});
