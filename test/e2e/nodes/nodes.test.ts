/** A server and two agents that join at once: pods everywhere, and every way between them. No port of an agent is open. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webOnEachNode } from '../../helpers/manifests.ts';
import { listNodes, podsOf } from '../../helpers/nodes.ts';
import type { ListedPod } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { firewallStories } from './firewalls.ts';
import { ingressStories } from './ingress.ts';
import { loadBalancerStories } from './load-balancer.ts';
import { metricsStories } from './metrics.ts';
import { networkPolicyStories } from './network-policies.ts';
import { tunnelStories } from './tunnel.ts';

let nodes: Nodes;

beforeAll(async () => {
  nodes = await createNodes('nodes', { agents: 2 });
  for (const agent of nodes.agents) await closePorts(agent);
});
afterAll(() => nodes?.wipe());

/** Only answers come in, and the other nodes' pods: a tunnel that needs more is found out. */
async function closePorts(agent: Box): Promise<void> {
  await agent.sh(`nft -f - <<'END'
table ip closed {
  chain input {
    type filter hook input priority 0;
    iifname != "eth0" accept
    ct state established,related accept
    udp dport 8472 accept
    tcp dport 30090 accept
    counter drop
  }
}
END`);
}

const kubectl = (...args: readonly string[]) => nodes.server.kubectl(...args);
const all = () => [nodes.server, ...nodes.agents];

const service = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports: [{ port: 80, nodePort: 30090 }]
`;

/** Two cores make two pods a second. The longer run, of which docs/testing.md tells: `KAGENT_PODS=200`. */
const manyPods = Number(process.env['KAGENT_PODS'] ?? 45);

describe('two agents that joined at once', () => {
  test('are Ready, connected, and have addresses of their own', async () => {
    const listed = await listNodes(nodes.server);
    expect(listed.map(({ name, status, connected }) => [name, status, connected])).toEqual([
      ['a1', 'Ready', true],
      ['a2', 'Ready', true],
      ['s1', 'Ready', true],
    ]);
    const cidrs = await kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].spec.podCIDR}');
    expect(new Set(cidrs.split(' ')).size).toBe(3);
  });

  test('each pod reaches each pod, the Service by address and name, and each NodePort', async () => {
    await nodes.server.apply(`${webOnEachNode}---${service}`);
    await kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
    await kubectl('wait', '-n', 'kube-system', 'deployment/coredns', '--for=condition=Available', '--timeout=60s');
    const pods = await podsOf(nodes.server, 'app=web');
    expect(new Set(pods.map((pod) => pod.spec.nodeName))).toEqual(new Set(['s1', 'a1', 'a2']));
    const serviceIp = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    const names = pods.map((pod) => pod.metadata.name);
    const targets = [
      ...pods.map((pod) => ({ url: `http://${pod.status.podIP}`, answers: [pod.metadata.name] })),
      { url: `http://${serviceIp}`, answers: names },
      { url: 'http://web.default.svc.cluster.local', answers: names },
      ...all().map(({ host }) => ({ url: `http://${host.address}:30090`, answers: names })),
    ];
    for (const { metadata } of pods) {
      const ask = targets.map(({ url }) => `timeout 5 wget -qO- ${url}`).join('; ');
      const said = (await kubectl('exec', metadata.name, '--', 'sh', '-c', ask)).trim().split('\n');
      expect(said).toHaveLength(targets.length);
      targets.forEach(({ answers }, index) => expect(answers).toContain(said[index]));
    }
    for (const box of all()) {
      for (const { url } of targets.filter((target) => !target.url.includes('svc'))) {
        expect(names).toContain((await box.sh(`curl -sf -m 5 ${url}`)).trim());
      }
    }
  });

  test('packets of the full size go from pod to pod: the MTU is right', async () => {
    const [from, to] = await podsOf(nodes.server, 'app=web');
    const mtu = async (pod: ListedPod | undefined) =>
      Number((await kubectl('exec', pod?.metadata.name ?? '', '--', 'cat', '/sys/class/net/eth0/mtu')).trim());
    expect(await mtu(from)).toBe(1450);
    const size = String((await mtu(from)) - 28);
    const ping = ['ping', '-c', '2', '-W', '3', '-s', size, to?.status.podIP ?? ''];
    expect(await kubectl('exec', from?.metadata.name ?? '', '--', ...ping)).toContain('0% packet loss');
  });

  test(`take ${manyPods} pods between them`, async () => {
    await kubectl(
      'create',
      'deployment',
      'many',
      '--image',
      'kagent.sh/busybox:1',
      '--replicas',
      String(manyPods),
      '--',
      'sleep',
      '3600',
    );
    await kubectl('rollout', 'status', 'deployment/many', '--timeout=400s');
    const perNode = Map.groupBy(await podsOf(nodes.server, 'app=many'), (pod) => pod.spec.nodeName);
    for (const name of ['s1', 'a1', 'a2']) expect(perNode.get(name)?.length).toBeGreaterThan(manyPods / 5);
    await kubectl('delete', 'deployment', 'many', '--wait=false');
    await kubectl('wait', 'pod', '-l', 'app=many', '--for=delete', '--timeout=400s');
  }, 900_000);

  test('a node may change itself, and nothing of another node', async () => {
    const [a1] = nodes.agents;
    const as = (program: string) => `kagent kubectl --kubeconfig /var/lib/kagent/agent/pki/${program}.kubeconfig`;
    const tried = (script: string) => a1?.host.exec(['sh', '-c', `PATH=/usr/local/bin:$PATH ${script}`]);
    expect(await tried(`${as('kubelet')} label node a1 mine=yes`)).toMatchObject({ code: 0 });
    const refused = [
      `${as('kubelet')} label node a2 mine=yes`,
      `${as('kubelet')} delete node a2`,
      `${as('kubelet')} get secrets -A`,
      `${as('kubelet')} label node a1 node-role.kubernetes.io/control-plane=true`,
      `${as('kube-proxy')} get secrets -A`,
      `${as('kube-proxy')} label node a1 another=yes`,
      `${as('flannel')} get pods -A`,
      `${as('flannel')} patch node a2 --subresource=status --type=merge -p '{"metadata":{"annotations":{"x":"y"}}}'`,
    ];
    for (const script of refused) {
      const answer = await tried(script);
      expect(`${script}: ${answer?.stderr}`).toMatch(/forbidden|denied|may change its own node only/i);
      expect(answer?.code).not.toBe(0);
    }
  });
});

describe('what is used', () => {
  metricsStories(() => nodes);
});

describe('a load balancer without pods', () => {
  loadBalancerStories(() => nodes);
});

describe('through the tunnel, every inbound port of the agents closed', () => {
  tunnelStories(() => nodes);

  test('nothing but pods’ traffic came in at the agents meanwhile', async () => {
    await eventually(
      async () => (await nodes.server.kubectl('get', '--raw', '/api/v1/nodes/a1/proxy/metrics')).length > 1000,
      {
        what: 'the metrics of a1',
      },
    );
    const blocked = await nodes.server.host.exec([
      'curl',
      '-sk',
      '-m',
      '2',
      `https://${nodes.agents[0]?.host.address}:10250/healthz`,
    ]);
    expect(blocked.code).not.toBe(0);
  });
});

describe('firewalls of the hosts', () => {
  firewallStories(() => nodes);
});

describe('network policies', () => {
  networkPolicyStories(() => nodes);
});

describe('an Ingress, and what is like it', () => {
  ingressStories(() => nodes);
});
