/** The other ways between pods: plain routes, a network of somebody else's, and one this kernel does not have. */
import { expect, onTestFinished, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { podsOf } from '../../helpers/nodes.ts';
import { webOnEachNode } from '../../helpers/manifests.ts';
import { eventually } from '../../helpers/wait.ts';

async function nodesWith(backend: string, ...flags: readonly string[]): Promise<Nodes> {
  const serverFlags = ['--flannel-backend', backend, ...flags];
  const nodes = await createNodes(`backends-${backend}`, { agents: 1, serverFlags });
  onTestFinished(() => nodes.wipe());
  return nodes;
}

/** Resolves when each has said it: the node's own kagent, the server's, and the Node. */
async function saysThatNoRangeIsLeft(box: Box, server: Box): Promise<void> {
  const conditionOf = async (from: Box, name: string) =>
    (await from.status()).components.find((one) => one.name === name)?.condition;
  const said = async () => {
    expect(await conditionOf(box, 'cni')).toMatchObject({ status: 'False', reason: 'NoPodCIDR' });
    expect(await conditionOf(server, 'nodes')).toMatchObject({
      status: 'False',
      message: expect.stringMatching(
        /^no range of pod addresses is left for a2: .* 2 of \/24, which a1, s1 have; /,
      ) as string,
    });
    const conditions = JSON.parse(
      await server.kubectl('get', 'node', 'a2', '-o', 'jsonpath={.status.conditions}'),
    ) as readonly Record<'type' | 'reason' | 'message', string>[];
    const on = (type: string) => conditions.find((one) => one.type === `kagent.sh/${type}`);
    expect(on('PodNetworkReachable')?.reason).toBe('PodCIDRsExhausted');
    expect(on('ChildrenHealthy')?.message).toMatch(/cni is not ready since \S+ \(NoPodCIDR\): .* has none left; /);
    return true;
  };
  await eventually(said, { withinMs: 60_000, everyMs: 500, what: 'a node that says what it waits for' });
}

test('host-gw: pods of two hosts reach each other by routes alone, with the whole MTU; where ranges have run out, a third host says so', async () => {
  const nodes = await nodesWith('host-gw', '--cluster-cidr', '10.42.0.0/23');
  const { server } = nodes;
  await server.apply(webOnEachNode);
  await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
  const pods = await podsOf(server, 'app=web');
  expect(new Set(pods.map(({ spec }) => spec.nodeName))).toEqual(new Set(['s1', 'a1']));
  const [from, to] = pods;
  const inPod = (...command: readonly string[]) => server.kubectl('exec', from?.metadata.name ?? '', '--', ...command);
  expect(await inPod('cat', '/sys/class/net/eth0/mtu')).toBe('1500\n');
  expect(await inPod('ping', '-c', '2', '-W', '3', '-s', '1472', to?.status.podIP ?? '')).toContain(' 0% packet loss');
  expect(await server.sh('ip link')).not.toContain('flannel');
  const third = await nodes.addBox('a2', 22);
  const agent = third.run(['kagent', 'agent', ...(await nodes.joinFlags())]);
  await saysThatNoRangeIsLeft(third, server);
  expect((await server.kagent(['status'])).code).toBe(1);
  expect((await third.kagent(['status'])).stdout.split('\n')[0]).toContain(' agent: starting, ');
  const isLogged = () => /component is not ready .*component=cni .*NoPodCIDR/.test(agent.output());
  await eventually(isLogged, { withinMs: 15_000, what: 'a line in the log' });
});

test('none: nodes become Ready when somebody brings a network, on a server and on an agent', async () => {
  const { server, agents } = await nodesWith('none');
  const all = [server, ...agents];
  const statuses = async () =>
    (
      await server.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}')
    ).trim();
  expect(await statuses()).toBe('False False');
  for (const [index, box] of all.entries()) {
    const own = {
      cniVersion: '1.0.0',
      name: 'own',
      plugins: [
        {
          type: 'bridge',
          bridge: 'own0',
          isGateway: true,
          ipMasq: true,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: `10.99.${index}.0/24` }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
      ],
    };
    await box.sh(`mkdir -p /etc/cni/net.d && cat >/etc/cni/net.d/10-own.conflist <<'END'\n${JSON.stringify(own)}\nEND`);
  }
  await eventually(async () => (await statuses()) === 'True True', { withinMs: 60_000, what: 'two Ready nodes' });
  await server.apply(webOnEachNode);
  await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
  for (const { status } of await podsOf(server, 'app=web')) expect(status.podIP).toMatch(/^10\.99\.[01]\.\d+$/);
});

test('wireguard-native is refused where the kernel does not have it, with what to do', async () => {
  const nodes = await nodesWith('vxlan');
  const box = await nodes.addBox('b1', 31);
  const { code, stderr } = await box.kagent(['server', '--flannel-backend', 'wireguard-native'], { timeoutMs: 60_000 });
  expect(code).toBe(1);
  expect(stderr).toMatch(/the kernel \S+ has no WireGuard; load it with "modprobe wireguard"/);
});
