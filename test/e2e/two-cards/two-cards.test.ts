/**
 * Hosts with two network cards: the way out has the address that every machine has (10.0.2.15), the other leads to the
 * neighbours. Nothing is said about addresses anywhere; later the way out is gone.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webOnEachNode } from '../../helpers/manifests.ts';
import { podsOf } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';

let nodes: Nodes;
let s1: Box;
let a1: Box;
/** A further address of the server. */
let further: string;

beforeAll(async () => {
  nodes = await createNodes('two-cards', { agents: 1, uplink: 'user' });
  const [agent] = nodes.agents;
  if (agent === undefined) throw new Error('there is no agent');
  [s1, a1] = [nodes.server, agent];
  further = s1.host.address.replace(/\d+$/, '99');
  await s1.apply(webOnEachNode);
});
afterAll(() => nodes?.wipe());

const kubectl = (...args: readonly string[]) => s1.kubectl(...args);
const internalIps = () =>
  kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}');
const conditionOf = async (name: string) => {
  const text = await kubectl('get', 'node', name, '-o', 'json');
  const { status } = JSON.parse(text) as { readonly status: { readonly conditions: readonly Condition[] } };
  return status.conditions.find(({ type }) => type === 'kagent.sh/PodNetworkReachable');
};
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
const untilReachable = async (name: string, wanted: Partial<Condition>) =>
  await eventually(
    async () => {
      const condition = await conditionOf(name);
      return Object.entries(wanted).every(([key, value]) => condition?.[key as keyof Condition] === value) && condition;
    },
    { withinMs: 90_000, what: `the pods’ network of ${name} with ${JSON.stringify(wanted)}` },
  );

/** With which code curl ends on a box that has the cluster's CA, at an address of the server. */
async function asked(from: Box, url: string, ...more: readonly string[]): Promise<number> {
  const { code } = await from.host.exec([
    'curl',
    '-s',
    '-m',
    '3',
    '-o',
    '/dev/null',
    '--cacert',
    serverCa,
    ...more,
    url,
  ]);
  return code;
}
const serverCa = join('/var/lib/kagent/agent/pki', 'server-ca.crt');
const notNamed = 60; // curl: the certificate is not for this name

async function eachPodReachesEach(): Promise<void> {
  await kubectl('rollout', 'status', 'daemonset/web', '--timeout=90s');
  const pods = (await podsOf(s1, 'app=web')).filter(({ spec }) => ['s1', 'a1'].includes(spec.nodeName));
  for (const box of [s1, a1]) {
    for (const { metadata, status } of pods) {
      const answers = async () =>
        (await box.sh(`curl -sf -m 3 http://${status.podIP} || true`)).trim() === metadata.name;
      await eventually(answers, { withinMs: 30_000, what: `an answer of ${metadata.name} on ${box.host.name}` });
    }
  }
}

async function doctorFindings(box: Box): Promise<readonly string[]> {
  const { stdout } = await box.kagent(['doctor', '--json']);
  const { findings } = JSON.parse(stdout) as {
    readonly findings: readonly { readonly check: string; readonly what: string }[];
  };
  const about = ['node-address', 'service-route', 'pod-network', 'address-ranges'];
  return findings.filter(({ check }) => about.includes(check)).map(({ what }) => what);
}

test('each node has the address of the card that leads to the others, and the choice is shown', async () => {
  expect(await internalIps()).toBe(`${a1.host.address} ${s1.host.address}`);
  for (const box of [s1, a1]) {
    const { stdout } = await box.kagent(['status']);
    expect(stdout).toContain(
      `The address of this node is ${box.host.address} (eth1); the host also has 10.0.2.15 (eth0): --node-ip names another one.`,
    );
  }
});

test('pods of different nodes reach each other, and the nodes say so', async () => {
  await eachPodReachesEach();
  for (const name of ['a1', 's1'])
    expect(await untilReachable(name, { status: 'True' })).toMatchObject({ reason: 'ProbesAnswered' });
});

test('the server’s certificates name an address that it gets', async () => {
  const urls = [`https://${further}:9345/ping`, `https://${further}:6443/livez`];
  await s1.sh(`ip addr add ${further}/24 dev eth1`);
  for (const url of urls)
    await eventually(async () => (await asked(a1, url)) === 0, { withinMs: 90_000, what: `an answer at ${url}` });
  const line = await s1.kagent(['token', 'join-command', '--installed', '--url', further]);
  expect(line).toMatchObject({ code: 0, stderr: '' });
  expect(line.stdout).toContain(`--url https://${further}:9345`);
});

test('a node joins by it and reaches kube-apiserver there; gone from the host, it is gone from the certificates', async () => {
  const a2 = await nodes.addBox('a2', 22);
  await a2.startAgent('--url', `https://${further}:9345`, '--token', await nodes.token());
  const identity = await a2.sh('cat /var/lib/kagent/agent/identity.json');
  const { joined } = JSON.parse(identity) as { readonly joined: { readonly apiserverUrls: readonly string[] } };
  expect(joined.apiserverUrls).toEqual([`https://${further}:6443`, `https://${s1.host.address}:6443`]);
  await a2.kagent(['killall']);
  await s1.sh(`ip addr del ${further}/24 dev eth1`);
  await s1.kagent(['node', 'rm', 'a2', '--force']);
  const stillThere = ['--connect-to', `${further}:9345:${s1.host.address}:9345`];
  const ends = async () => (await asked(a1, `https://${further}:9345/ping`, ...stillThere)) === notNamed;
  await eventually(ends, { withinMs: 30_000, what: 'a certificate without the address that is gone' });
  expect((await s1.kagent(['token', 'join-command', '--url', 'kube.example'])).stderr).toContain(
    'does not name kube.example, so no node can join by that name: start the server with --tls-san kube.example',
  );
});

test('a second node with the address of the first is refused, with both names and what to type', async () => {
  const twin = await nodes.addBox('a3', 23);
  await twin.sh(`ip addr add ${a1.host.address}/32 dev eth0`);
  const { code, stderr } = await twin.kagent(['agent', ...(await nodes.joinFlags()), '--node-ip', a1.host.address]);
  expect(code).toBe(1);
  expect(stderr).toContain(`${a1.host.address} is the address of the node a1`);
  expect(stderr).toContain(`the server sees this one as ${twin.host.address}`);
});

test('without a way out both start again as they were, Services are reached, and the doctor is quiet', async () => {
  for (const box of [s1, a1]) await box.sh('ip route del default');
  for (const box of [a1, s1]) {
    await box.signal((await box.status()).pid, 'TERM');
    await box.running().exited;
  }
  await s1.startServer();
  await a1.startAgent(...(await nodes.joinFlags()));
  expect(await internalIps()).toBe(`${a1.host.address} ${s1.host.address}`);
  await eachPodReachesEach();
  for (const box of [s1, a1]) {
    const reached = async () =>
      (await box.sh('curl -sk -m 3 -o /dev/null https://10.43.0.1/livez && echo yes')) === 'yes\n';
    await eventually(reached, { withinMs: 30_000, what: `a Service’s address on ${box.host.name}` });
    expect(await doctorFindings(box)).toEqual([]);
  }
});

test('packets that are too large for the path are told from silence, by name, and both end', async () => {
  // As a switch with a smaller MTU would, but for the pods' network alone.
  await a1.sh(`nft -f - <<'END'
table ip narrow {
  chain output { type filter hook output priority 0; udp dport 8472 meta length > 1400 drop; }
}
END`);
  await a1.signal((await a1.status()).pid, 'TERM');
  await a1.running().exited;
  await a1.startAgent(...(await nodes.joinFlags()));
  const { message } = await untilReachable('a1', { status: 'False', reason: 'PacketsTooLarge' });
  expect(message).toContain('of pods do not pass between a1 and s1');
  expect(await doctorFindings(s1)).toEqual([message]); // the same from either side
  expect((await s1.kagent(['status'])).stdout).toContain('PodNetworkUnreachable');
  const events = await kubectl(
    'get',
    'events',
    '--field-selector',
    'involvedObject.name=a1',
    '-o',
    'jsonpath={.items[*].reason}',
  );
  expect(events).toContain('PacketsTooLarge');
  await a1.sh(`nft -f - <<'END'
flush chain ip narrow output
add rule ip narrow output udp dport 8472 drop
END`);
  await untilReachable('a1', { status: 'False', reason: 'NoAnswer' });
  await a1.sh('nft delete table ip narrow');
  await untilReachable('a1', { status: 'True' });
  await eventually(async () => (await doctorFindings(a1)).length === 0, { withinMs: 60_000, what: 'a quiet doctor' });
});

test('the Services’ route goes when a way out is back, and with killall', async () => {
  const routes = async (box: Box) => (await box.sh('ip route show 10.43.0.0/16')).trim();
  expect(await routes(s1)).toContain('dev lo');
  await s1.sh('ip route add default via 10.0.2.2');
  await eventually(async () => (await routes(s1)) === '', { withinMs: 20_000, what: 'no route of its own' });
  expect(await routes(a1)).toContain('dev lo');
  await a1.kagent(['killall'], { timeoutMs: 120_000 });
  expect(await routes(a1)).toBe('');
});
