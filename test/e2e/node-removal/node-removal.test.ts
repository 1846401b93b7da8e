/** Nodes leave and come back, names are kept, tokens let in whom they should. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { listNodes, podsOf, untilNode } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';

let nodes: Nodes;
let a1: Box;
/** A box that has not joined. */
let stranger: Box;

beforeAll(async () => {
  nodes = await createNodes('node-removal', { agents: 1 });
  const [first] = nodes.agents;
  if (first === undefined) throw new Error('there is no agent');
  a1 = first;
  stranger = await nodes.addBox('a2', 22);
});
afterAll(() => nodes?.wipe());

const kubectl = (...args: readonly string[]) => nodes.server.kubectl(...args);
const onServer = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await nodes.server.kagent(args, { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`kagent ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
};
/** What a box that may not join is told. */
const refused = async (...flags: readonly string[]) => {
  const { code, stderr } = await stranger.kagent(['agent', '--url', nodes.url, ...flags], { timeoutMs: 60_000 });
  expect(code).toBe(1);
  return stderr;
};

/** Where somebody has put away the certificates of a1. */
const stolenDir = '/root/stolen';
const mustRun = async (box: Box, ...command: readonly string[]) => {
  const { code, stderr } = await box.host.exec(command);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr}`);
};
const asStolen = (user: string) => [
  '--server',
  nodes.url.replace(':9345', ':6443'),
  '--certificate-authority',
  `${stolenDir}/server-ca.crt`,
  '--client-certificate',
  `${stolenDir}/${user}.crt`,
  '--client-key',
  `${stolenDir}/${user}.key`,
];
const withStolen = (...args: readonly string[]) => a1.kubectl(...asStolen('kubelet'), ...args);
/** What kube-apiserver says to a kubelet that writes this into the status of its own node. */
const patchOwnStatus = (status: unknown) => {
  const shown = ['--cacert server-ca.crt', '--cert kubelet.crt', '--key kubelet.key'].join(' ');
  const patch = `-X PATCH -H 'content-type: application/merge-patch+json' -d '${JSON.stringify({ status })}'`;
  return a1.sh(
    `cd ${stolenDir} && curl -s ${shown} ${patch} ${nodes.url.replace(':9345', ':6443')}/api/v1/nodes/a1/status`,
  );
};
/** What kubectl says to somebody who shows them. */
const tryStolen = async (user: string, ...args: readonly string[]) => {
  const { stdout, stderr } = await a1.tryKubectl(...asStolen(user), ...args);
  return stdout + stderr;
};

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: web, image: IMAGE, command: [sleep, '3600'] }]
`;

describe('tokens', () => {
  test('what is no token, unknown, expired or deleted is told apart, and no secret is repeated', async () => {
    const token = await nodes.token();
    expect(await refused('--token', token.replace(/::.*/, '::server:not-the-secret'))).toMatch(
      /does not know this token/,
    );
    expect(await refused('--token', token.replace(/K10[0-9a-f]{64}/, `K10${'0'.repeat(64)}`))).toMatch(
      /has the sha256 [0-9a-f]{64}, the token wants 0000/,
    );
    expect(await refused('--token', 'K10short::server:x')).toMatch(/64 hexadecimal digits/);
    const made = JSON.parse(await onServer('token', 'create', '--ttl', '1s', '-o', 'json')) as {
      readonly text: string;
      readonly token: { readonly id: string; readonly expiresAt: string };
    };
    const { text: short } = made;
    const { id, expiresAt } = made.token;
    await eventually(() => Date.now() > Date.parse(expiresAt), { what: 'the end of the token' });
    expect(await refused('--token', short)).toContain(`the token ${id} has expired at ${expiresAt}`);
    await onServer('token', 'delete', id);
    const unknown = await refused('--token', short);
    expect(unknown).toMatch(/does not know this token/);
    expect(unknown).not.toContain(short.slice(-16));
  });

  test('are listed without their secrets, in words and as JSON', async () => {
    const text = await onServer('token', 'create', '--description', 'for the shed', '--ttl', '2h');
    const secret = text.slice(-16);
    const listed = await onServer('token', 'list');
    expect(listed).toMatch(/server +server +never/);
    expect(listed).toContain('for the shed');
    const json = await onServer('token', 'list', '-o', 'json');
    expect(JSON.parse(json)).toMatchObject({
      tokens: [{ id: 'server' }, { description: 'for the shed', role: 'agent' }],
    });
    expect(listed + json).not.toContain(secret);
  });

  test('join-command prints the line that joins; after a rotation the old token is worth nothing, and who has joined stays', async () => {
    const old = await nodes.token();
    const line = await onServer('token', 'join-command', '--installed', '--ttl', '5m');
    const [, , ...flags] = line.split(' ');
    expect(line).toMatch(
      /^kagent agent --url https:\/\/[\d.]+:9345 --token K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}$/,
    );
    const running = await stranger.startAgent(...flags);
    const next = await onServer('token', 'rotate', '--token', old);
    expect(await nodes.token()).toBe(next);
    await stranger.signal((await stranger.status()).pid, 'TERM');
    expect(await running.exited).toBe(0);
    await stranger.startAgent('--url', nodes.url, '--token', old); // it has its identity: the token is not looked at
    await untilNode(nodes, 'a2', { connected: true, status: 'Ready' });
    const other = await nodes.addBox('a3', 23);
    const { code, stderr } = await other.kagent(['agent', '--url', nodes.url, '--token', old], { timeoutMs: 60_000 });
    expect([code, stderr]).toEqual([1, expect.stringContaining('does not know this token')]);
  });
});

describe('a node', () => {
  test('that works is not removed; drained, it is, and its agent ends and says why', async () => {
    await nodes.server.apply(web);
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const kept = await nodes.server.kagent(['node', 'rm', 'a1']);
    expect([kept.code, kept.stderr]).toEqual([1, expect.stringContaining("'kagent node drain a1'")]);
    await onServer('node', 'drain', 'a1', '--timeout=60s');
    expect((await podsOf(nodes.server, 'app=web')).filter(({ spec }) => spec.nodeName === 'a1')).toEqual([]);
    const agent = a1.running();
    await mustRun(a1, 'cp', '-a', '/var/lib/kagent/agent/pki', stolenDir);
    const node = JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'a1' } });
    await mustRun(a1, 'sh', '-c', `printf %s '${node}' >${stolenDir}/node.json`);
    expect(await withStolen('get', 'node', 'a1', '-o', 'name')).toBe('node/a1\n');
    for (const [type, address, why] of [
      ['InternalIP', nodes.server.host.address, 'another node that is Ready'],
      ['InternalIP', '10.43.0.1', 'the ranges of pods and Services'],
      ['Hostname', 's1', 'is its own name'],
    ] as const) {
      expect(await patchOwnStatus({ addresses: [{ type, address }] })).toContain(why);
    }
    await onServer('node', 'rm', 'a1');
    expect(await agent.exited).toBe(3);
    expect(agent.output()).toMatch(/a1 was removed from the cluster by 'kagent node rm'/);
    expect((await listNodes(nodes.server)).map(({ name }) => name)).not.toContain('a1');
    expect(await kubectl('get', 'nodes', '-o', 'name')).not.toContain('node/a1');
  });

  test('that was removed has certificates for days, and kube-apiserver refuses whoever shows them, at once', async () => {
    for (const user of ['kubelet', 'kube-proxy', 'flannel'] as const)
      await eventually(async () => (await tryStolen(user, 'get', 'nodes')).includes('removed from the cluster'), {
        what: `a refusal of the removed node’s ${user}`,
      });
    expect(await tryStolen('kubelet', 'get', 'secrets', '-A')).toContain('Forbidden');
    expect(await tryStolen('kubelet', 'create', '--validate=false', '-f', `${stolenDir}/node.json`)).toContain(
      'Forbidden',
    );
    expect(await kubectl('get', 'nodes', '-o', 'name')).not.toContain('node/a1');
  });

  test('that was removed joins again on the same machine, and takes pods', async () => {
    await a1.startAgent(...(await nodes.joinFlags()));
    await untilNode(nodes, 'a1', { connected: true, status: 'Ready', session: 1 });
    await kubectl('scale', 'deployment/web', '--replicas', '9');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    expect((await podsOf(nodes.server, 'app=web')).some(({ spec }) => spec.nodeName === 'a1')).toBe(true);
    expect(await tryStolen('kubelet', 'get', 'nodes')).toContain('removed from the cluster'); // what it had before
  });

  test('keeps its name when its host gets another one, gets one that it asks for, and may have the old one back', async () => {
    const flags = await nodes.joinFlags();
    const restarted = async (...more: readonly string[]) => {
      await a1.signal((await a1.status()).pid, 'TERM');
      await a1.running().exited;
      await a1.startAgent(...flags, ...more);
      return (await a1.status()).notes.join();
    };
    await mustRun(a1, 'hostname', 'dhcp-77');
    expect(await restarted()).toContain('This host is called dhcp-77 now and stays the node a1');
    await restarted('--node-name', 'b1');
    await untilNode(nodes, 'b1', { connected: true, status: 'Ready' });
    const spec = JSON.stringify({ spec: { nodeName: 'b1' } });
    await kubectl('run', 'there', '--image', 'kagent.sh/busybox:1', '--overrides', spec, '--', 'sleep', '3600');
    await kubectl('wait', 'pod/there', '--for=condition=Ready', '--timeout=60s');
    expect(await kubectl('exec', 'there', '--', 'hostname')).toBe('there\n'); // by an address that was the Node a1's
    expect(await restarted('--node-name', 'a1')).not.toContain('stays the node');
    await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
    await onServer('node', 'rm', 'b1', '--force');
    await mustRun(a1, 'hostname', 'a1');
  });

  test('keeps its name from another machine, which is told on the Node, until an administrator gives it away', async () => {
    const twin = await nodes.addBox('a4', 24);
    const flags = [...(await nodes.joinFlags()), '--node-name', 'a1'];
    const tried = (...more: readonly string[]) => twin.kagent(['agent', ...flags, ...more], { timeoutMs: 60_000 });
    expect((await tried()).stderr).toMatch(/another machine has joined as a1; .*'kagent node rm a1'/);
    expect((await tried('--replace')).stderr).toMatch(/a1 is connected from another machine and is not replaced/);
    await a1.host.off();
    await untilNode(nodes, 'a1', { connected: false });
    expect((await tried('--replace')).stderr).toMatch(/a1 was heard too lately .*'kagent node rm a1'/);
    expect((await tried('--replace', '--node-name', 's1')).stderr).toMatch(/s1 is the server's own node/);
    expect(await kubectl('describe', 'node', 'a1')).toMatch(/NameUndisputed +False .*ClaimedByAnotherMachine/);
    const forA1 = await onServer('token', 'create', '--node', 'a1', '--ttl', '5m');
    expect((await tried('--token', forA1, '--node-name', 'a9')).stderr).toMatch(/lets in the node a1 alone/);
    await twin.startAgent(...flags, '--token', forA1);
    await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
    const address = await kubectl('get', 'node', 'a1', '-o', 'jsonpath={.status.addresses[0].address}');
    expect(address).toBe(twin.host.address);
  });

  test('whose Node kubectl has deleted comes back when it starts, or another machine comes as it once it is off', async () => {
    const own = [...(await nodes.joinFlags()), '--node-name', 'c1'];
    const first = await nodes.addBox('c1', 27);
    await first.startAgent(...own);
    await kubectl('delete', 'node', 'c1');
    const second = await nodes.addBox('c2', 28);
    const tried = await second.kagent(['agent', ...own], { timeoutMs: 60_000 });
    expect(tried.stderr).toMatch(/c1 is connected from another machine/);
    await first.signal((await first.status()).pid, 'TERM');
    await first.running().exited;
    await first.startAgent(...own);
    await untilNode(nodes, 'c1', { connected: true, status: 'Ready' });
    await first.host.off();
    await untilNode(nodes, 'c1', { connected: false });
    expect((await second.kagent(['agent', ...own], { timeoutMs: 60_000 })).stderr).toMatch(/joined as c1/);
    await kubectl('delete', 'node', 'c1');
    await second.startAgent(...own);
    await untilNode(nodes, 'c1', { connected: true, status: 'Ready' });
  });

  test('with settings that are not the cluster’s does not join', async () => {
    const box = await nodes.addBox('a5', 25);
    const flags = await nodes.joinFlags();
    const { code, stderr } = await box.kagent(['agent', ...flags, '--cluster-cidr', '10.50.0.0/16'], {
      timeoutMs: 60_000,
    });
    expect(code).toBe(2);
    expect(stderr).toContain('--cluster-cidr is 10.50.0.0/16 here but 10.42.0.0/16 in the cluster');
  });

  test('says outside addresses, labels, taints and an id of its own', async () => {
    const box = await nodes.addBox('a6', 26);
    const own = [
      '--with-node-id',
      '--node-external-ip',
      '203.0.113.9',
      '--node-label',
      'zone=b',
      '--node-taint',
      'for=x:NoSchedule',
    ];
    await box.startAgent(...(await nodes.joinFlags()), ...own);
    const name = (await listNodes(nodes.server)).map((one) => one.name).find((one) => one.startsWith('a6-')) ?? '';
    expect(name).toMatch(/^a6-[0-9a-f]{8}$/);
    const node = JSON.parse(await kubectl('get', 'node', name, '-o', 'json')) as Readonly<Record<string, unknown>>;
    expect(node).toMatchObject({
      metadata: { labels: { zone: 'b' } },
      spec: { taints: expect.arrayContaining([{ key: 'for', value: 'x', effect: 'NoSchedule' }]) }, // not-ready may still stand beside it
      status: { addresses: expect.arrayContaining([{ type: 'ExternalIP', address: '203.0.113.9' }]) },
    });
  });
});

describe('a node that was taken over', () => {
  const pki = '/var/lib/kagent/agent/pki';
  /** With the rights of that node's kubelet. @returns the code and all that kubectl wrote */
  const asKubelet = async (box: Box, command: string) => {
    const script = `kagent kubectl --kubeconfig ${pki}/kubelet.kubeconfig ${command}`;
    const { code, stdout, stderr } = await box.host.exec(['sh', '-c', script]);
    return [code, stdout + stderr];
  };

  test("does not register with the range of another node's pods, nor say how it is reached", async () => {
    const s1 = await kubectl('get', 'node', 's1', '-o', 'jsonpath={.spec.podCIDR}');
    const registered = (name: string, more: string) =>
      `create -f - <<'END'\n{"apiVersion":"v1","kind":"Node","metadata":{"name":"${name}"},${more}}\nEND`;
    await kubectl('delete', 'node', 'a2');
    const thief = await asKubelet(stranger, registered('a2', `"spec":{"podCIDR":"${s1}","podCIDRs":["${s1}"]}`));
    expect(thief).toEqual([1, expect.stringContaining("a node does not choose its pods' range")]);
    expect(await asKubelet(stranger, registered('a2', '"spec":{}'))).toEqual([0, 'node/a2 created\n']);
    const note = await asKubelet(
      stranger,
      `annotate node a2 flannel.alpha.coreos.com/public-ip=${nodes.server.host.address}`,
    );
    expect(note).toEqual([1, expect.stringContaining("a kubelet does not write flannel's annotations")]);
    await kubectl('delete', 'node', 'a2');
  });

  test('takes no route along when it goes, whatever its object had said', async () => {
    const [range = '', mac = ''] = (
      await kubectl(
        'get',
        'node',
        's1',
        '-o',
        `jsonpath={.spec.podCIDR} {.metadata.annotations.flannel\\.alpha\\.coreos\\.com/backend-data}`,
      )
    ).split(' ');
    const own = /..:..:..:..:..:../.exec(mac)?.[0] ?? '';
    const neighbour = () => stranger.sh('ip -4 route show dev flannel.1; ip neigh show dev flannel.1');
    expect(await neighbour()).toContain(own);
    const annotations = {
      'flannel.alpha.coreos.com/public-ip': '192.0.2.66',
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:66"}',
      'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
    };
    const spec = { podCIDR: range, podCIDRs: [range] };
    const ghost = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'ghost', annotations }, spec };
    await nodes.server.apply(JSON.stringify(ghost, undefined, 2));
    await eventually(async () => (await neighbour()).includes('02:00:00:00:00:66'), { what: 'the route to the ghost' });
    await kubectl('delete', 'node', 'ghost');
    await eventually(async () => !(await neighbour()).includes('02:00:00:00:00:66'), { what: 'its end' });
    const isBack = async () => {
      const routes = await neighbour();
      return [own, range].every((text) => routes.includes(text));
    };
    await eventually(isBack, { what: "the server's own route" });
  });
});

test('the control plane runs without rights, as a user of its own', async () => {
  const text = await nodes.server.sh(`cat /proc/$(pgrep -f '^\\./kube-control-plane ')/status`);
  const rights = ['Uid', 'CapBnd', 'NoNewPrivs'].map(
    (field) => new RegExp(`^${field}:\\s+(\\S+)`, 'm').exec(text)?.[1],
  );
  expect(rights).toEqual(['2109345001', '0000000000000000', '1']);
  // Pods' own setuid programs still work: what starts them has not given that up for them.
  expect(await nodes.server.sh(`grep NoNewPrivs /proc/$(pidof -s containerd)/status`)).toMatch(/0$/m);
});
