import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { listNodes } from '../../helpers/nodes.ts';
import { processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';
import { json, policy, webPod } from './policy-objects.ts';

/** Tries to connect as its first act, and a hundred times more; says how often it has. */
const hasty = (name: string, target: string, labels: Readonly<Record<string, string>> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'hasty', ...labels } },
  spec: {
    nodeName: 'a2',
    restartPolicy: 'Never',
    containers: [
      {
        name: 'hasty',
        image: 'IMAGE',
        command: [
          'sh',
          '-c',
          `for i in $(seq 100); do (timeout 1 wget -q -O /dev/null http://${target} && echo reached) & sleep 0.02; done; wait; echo over`,
        ],
      },
    ],
  },
});

/** Until what a policy says is so. */
const patiently = { timeout: 20_000, interval: 50 };
const inNamespace = ['-n', 'guarded'] as const;
const web = { matchLabels: { app: 'web' } };
const friends = { podSelector: { matchLabels: { role: 'friend' } } };

/** NetworkPolicies on a server and two agents, with one more box outside the cluster. */
export function networkPolicyStories(nodes: () => Nodes): void {
  const server = () => nodes().server;
  const kubectl = (...args: readonly string[]) => server().kubectl(...inNamespace, ...args);
  const box = (name: string): Box => {
    const found = nodes().agents.find(({ host }) => host.name === name);
    if (found === undefined) throw new Error(`there is no box ${name}`);
    return found;
  };
  const addresses = new Map<string, string>();
  const addressOf = (name: string) => addresses.get(name) ?? '';
  const table = (name: string) => box(name).sh('nft list table ip kagent-netpol 2>/dev/null || true');
  const inPod = (name: string, script: string) => [
    '/usr/local/bin/kagent',
    'kubectl',
    ...inNamespace,
    'exec',
    name,
    '--',
    'sh',
    '-c',
    script,
  ];
  let outside: Box;
  /** An address of the lab's network by its last byte. */
  const inLab = (lastByte: number) => outside.host.address.replace(/\d+$/, String(lastByte));

  const tries = async (from: string, ...command: readonly string[]): Promise<boolean> => {
    const namespace = from === 'guest' ? 'guests' : 'guarded';
    const { code } = await server().tryKubectl('-n', namespace, 'exec', from, '--', 'timeout', '2', ...command);
    return code === 0;
  };
  const reaches = (from: string, to: string) => tries(from, 'wget', '-q', '-O', '/dev/null', `http://${to}`);
  /** Each `from > to`, where `to` is a pod or an address, with a port or not: which of them reach. */
  const reaching = async (...pairs: readonly string[]): Promise<readonly string[]> => {
    const reached = await Promise.all(
      pairs.map(async (pair) => {
        const [from = '', to = ''] = pair.split(' > ');
        const [name = '', port = '80'] = to.split(':');
        return (await reaches(from, `${addresses.get(name) ?? name}:${port}`)) ? [pair] : [];
      }),
    );
    return reached.flat();
  };
  const fresh = async (...objects: readonly object[]) => {
    await kubectl('delete', 'networkpolicies', '--all');
    if (objects.length > 0) await server().apply(json(...objects), ...inNamespace);
  };

  beforeAll(async () => {
    outside = await nodes().addBox('elsewhere', 51);
    await outside.sh(`ip address add ${inLab(52)}/24 dev eth0`);
    const serves = "require('http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(8000, '0.0.0.0')";
    outside.run([process.execPath, '-e', serves]);
    for (const namespace of ['guarded', 'guests']) await server().kubectl('create', 'namespace', namespace);
    const pods = ['a1', 'a2'].flatMap((node) => [
      webPod(`web-${node}`, node, { app: 'web' }),
      webPod(`friend-${node}`, node, { role: 'friend' }),
      webPod(`stranger-${node}`, node, { role: 'stranger' }),
    ]);
    await server().apply(json(...pods), ...inNamespace);
    await server().apply(json(webPod('guest', 'a2', { role: 'friend' })), '-n', 'guests');
    for (const namespace of ['guarded', 'guests']) {
      await server().kubectl('wait', '-n', namespace, 'pod', '--all', '--for=condition=Ready', '--timeout=60s');
      const range = '{range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}';
      const listed = await server().kubectl('get', 'pods', '-n', namespace, '-o', `jsonpath=${range}`);
      for (const line of listed.trim().split('\n')) {
        const [name = '', address = ''] = line.split(' ');
        addresses.set(name, address);
      }
    }
  });

  test('without a policy everything passes, and no rule is there', async () => {
    const pairs = ['friend-a1 > web-a1', 'friend-a1 > web-a2', 'guest > web-a1', 'stranger-a2 > web-a1:8080'];
    expect(await reaching(...pairs)).toEqual(pairs);
    for (const name of ['a1', 'a2']) expect(await table(name)).toBe('');
  });

  test('a policy that allows nothing closes its pods to others, but not to their own node', async () => {
    await fresh(policy('closed', { podSelector: {} }));
    const pairs = ['friend-a1 > web-a1', 'friend-a2 > web-a1', 'guest > web-a1', 'stranger-a1 > friend-a1'];
    await expect.poll(() => reaching(...pairs), patiently).toEqual([]);
    // Itself, and whoever is not selected.
    expect(await reaching('web-a1 > web-a1', 'web-a1 > guest')).toEqual(['web-a1 > web-a1', 'web-a1 > guest']);
    expect(await box('a1').sh(`curl -sf -m 2 http://${addressOf('web-a1')}`)).toBe('web-a1\n');
    expect((await box('a1').host.exec(['curl', '-s', '-m', '2', `http://${addressOf('web-a2')}`])).code).not.toBe(0);
    const states = await kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[*].ready}');
    expect(states).not.toContain('false'); // the kubelet's probes pass
  });

  test('what policies allow by labels and by the name of a port passes, on one node and between two', async () => {
    await fresh(
      policy('closed', { podSelector: {} }),
      policy('friends', { podSelector: web, ingress: [{ from: [friends], ports: [{ port: 'http' }] }] }),
    );
    const pass = ['friend-a1 > web-a1', 'friend-a1 > web-a2', 'friend-a2 > web-a1'];
    const end = ['friend-a1 > web-a1:8080', 'stranger-a1 > web-a1', 'stranger-a2 > web-a1', 'guest > web-a2'];
    await expect.poll(() => reaching(...pass, ...end), patiently).toEqual(pass);
    expect(await tries('friend-a1', 'ping', '-c', '1', '-W', '1', addressOf('web-a1'))).toBe(false); // a port is no echo
  });

  test('a Service leads to where a policy allows it', async () => {
    await kubectl('expose', 'pod', 'web-a1', '--name=web', '--port=8000', '--target-port=80');
    const clusterIp = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    const pairs = [`friend-a1 > ${clusterIp}:8000`, `friend-a2 > ${clusterIp}:8000`, `stranger-a2 > ${clusterIp}:8000`];
    await expect.poll(() => reaching(...pairs), patiently).toEqual(pairs.slice(0, 2));
    await kubectl('delete', 'service', 'web');
  });

  test('labels of a namespace that change under running pods are followed', async () => {
    await fresh(
      policy('blue', {
        podSelector: web,
        ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }],
      }),
    );
    const pairs = ['guest > web-a1', 'guest > web-a2', 'friend-a1 > web-a1'];
    await expect.poll(() => reaching(...pairs), patiently).toEqual([]);
    await server().kubectl('label', 'namespace', 'guests', 'team=blue');
    await expect.poll(() => reaching(...pairs), patiently).toEqual(pairs.slice(0, 2));
    await server().kubectl('label', 'namespace', 'guests', 'team=red', '--overwrite');
    await expect.poll(() => reaching(...pairs), patiently).toEqual([]);
  });

  test('a NodePort is judged by the client’s own address where that is kept', async () => {
    const from = (...except: readonly string[]) =>
      policy('outside', {
        podSelector: web,
        ingress: [{ from: [{ ipBlock: { cidr: `${inLab(48)}/28`, ...(except.length > 0 && { except }) } }] }],
      });
    await fresh(from(`${inLab(52)}/32`));
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web-local' },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        selector: { app: 'web' },
        ports: [{ port: 8090, targetPort: 'http', nodePort: 30_091 }],
      },
    };
    await server().apply(json(service), ...inNamespace);
    const url = `http://${box('a1').host.address}:8090`;
    const asks = (source: string) => outside.host.exec(['curl', '-sf', '-m', '2', '--interface', source, url]);
    const isAnswered = (source: string) => async () => (await asks(source)).stdout === 'web-a1\n';
    await eventually(isAnswered(inLab(51)), { withinMs: 20_000, what: 'an answer' });
    expect((await asks(inLab(52))).code).not.toBe(0);
    await fresh(from(`${inLab(51)}/32`));
    await eventually(isAnswered(inLab(52)), { withinMs: 20_000, what: 'an answer to the other address' });
    expect((await asks(inLab(51))).code).not.toBe(0);
    await kubectl('delete', 'service', 'web-local');
  });

  test('what pods send goes to where a policy allows it, their own node included', async () => {
    const egress = [
      { to: [{ ipBlock: { cidr: `${inLab(48)}/28`, except: [`${inLab(52)}/32`] } }] },
      { to: [{ podSelector: web }], ports: [{ port: 80, endPort: 90 }] },
    ];
    const selected = { matchLabels: { role: 'stranger' } };
    await fresh(policy('egress', { podSelector: selected, policyTypes: ['Egress'], egress }));
    const kubelet = ['sh', '-c', `nc ${box('a1').host.address} 10250 </dev/null`];
    const pass = [
      `stranger-a1 > ${inLab(51)}:8000`,
      'stranger-a1 > web-a1',
      'stranger-a2 > web-a1',
      'friend-a1 > stranger-a1',
    ];
    const end = [
      `stranger-a1 > ${inLab(52)}:8000`,
      'stranger-a1 > web-a1:8080',
      'stranger-a1 > guest',
      'stranger-a2 > friend-a2',
    ];
    await expect.poll(() => reaching(...pass, ...end), patiently).toEqual(pass);
    expect(await tries('stranger-a1', ...kubelet)).toBe(false);
    expect(await tries('friend-a1', ...kubelet)).toBe(true);
  });

  test('a connection that a new policy forbids gets no further', async () => {
    await fresh();
    const received = async () => Number(await kubectl('exec', 'web-a2', '--', 'sh', '-c', 'wc -c </tmp/received'));
    const listener = server().run(inPod('web-a2', 'sleep 100 | nc -l -p 9000 >/tmp/received'));
    await eventually(async () => (await kubectl('exec', 'web-a2', '--', 'netstat', '-tln')).includes(':9000'), {
      what: 'the listener',
    });
    const sender = server().run(
      inPod('friend-a1', `(for i in $(seq 600); do echo x; sleep 0.05; done) | nc ${addressOf('web-a2')} 9000`),
    );
    await eventually(async () => (await received()) > 20, { what: 'a connection that is in use' });
    await fresh(policy('closed', { podSelector: web }));
    const grows = async () => {
      const before = await received();
      await delay(500);
      return (await received()) > before;
    };
    await expect.poll(grows, { timeout: 10_000 }).toBe(false);
    await kubectl('delete', 'networkpolicies', '--all');
    await kubectl('exec', 'web-a2', '--', 'killall', 'sleep', 'nc');
    await server().tryKubectl(...inNamespace, 'exec', 'friend-a1', '--', 'killall', 'nc'); // it may have ended with the other
    await Promise.all([listener.exited, sender.exited]);
  });

  test('a new pod that a policy selects is never free, and one that it allows need not wait', async () => {
    const toWeb = {
      podSelector: { matchLabels: { app: 'hasty', role: 'friend' } },
      policyTypes: ['Egress'],
      egress: [{}],
    };
    await fresh(
      policy('closed', { podSelector: { matchLabels: { app: 'hasty' } }, policyTypes: ['Egress'] }),
      policy('free', toWeb),
    );
    const target = addressOf('guest');
    await server().apply(
      json(
        ...[1, 2, 3, 4].map((at) => hasty(`hasty-${at}`, target)),
        hasty('hasty-friend', target, { role: 'friend' }),
      ),
      ...inNamespace,
    );
    await kubectl('wait', 'pod', '-l', 'app=hasty', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
    for (const at of [1, 2, 3, 4]) {
      const said = await kubectl('logs', `hasty-${at}`);
      expect(said).toContain('over');
      expect(said).not.toContain('reached');
    }
    expect((await kubectl('logs', 'hasty-friend')).match(/reached/g)).toHaveLength(100);
    await kubectl('delete', 'pod', '-l', 'app=hasty', '--wait=false');
  });

  test('rules that somebody removes are back', async () => {
    await fresh(policy('closed', { podSelector: web }));
    const pairs = ['friend-a2 > web-a1', 'friend-a1 > web-a1'];
    await expect.poll(() => reaching(...pairs), patiently).toEqual([]);
    for (const change of ['nft delete table ip kagent-netpol', 'nft flush table ip kagent-netpol']) {
      await box('a1').sh(change);
      await expect
        .poll(() => table('a1'), { timeout: 10_000, interval: 50 })
        .toContain('ct reply ip saddr vmap @ingress-pods');
      expect(await reaching(...pairs)).toEqual([]);
    }
  });

  test('rules hold while kube-node is killed, and are followed when it is back', async () => {
    await fresh(policy('closed', { podSelector: web }));
    await expect.poll(() => reaching('friend-a2 > web-a1'), patiently).toEqual([]);
    const killed = processesOf(box('a1')).find(({ name }) => name === 'kube-node');
    await box('a1').signal(killed?.pid ?? 0, 'KILL');
    expect(await reaching('friend-a2 > web-a1')).toEqual([]);
    await eventually(
      async () =>
        (await box('a1').status()).components.every(({ condition }) => condition.status === 'True') &&
        (await listNodes(server())).every(({ status }) => status === 'Ready'),
      { withinMs: 60_000, what: 'kube-node' },
    );
    expect(await reaching('friend-a2 > web-a1')).toEqual([]);
    await kubectl('delete', 'networkpolicies', '--all');
    await expect.poll(() => reaching('friend-a2 > web-a1'), patiently).toEqual(['friend-a2 > web-a1']);
    await eventually(async () => (await table('a1')) === '', { what: 'the end of the table' });
  });

  test('a cluster that enforces none has no rule of theirs', async () => {
    await fresh(policy('closed', { podSelector: web }));
    await expect.poll(() => reaching('friend-a2 > web-a1'), patiently).toEqual([]);
    const again = async (one: Box, start: () => Promise<unknown>) => {
      await one.signal((await one.status()).pid, 'TERM');
      await one.running().exited;
      await start();
    };
    await again(server(), () => server().startServer('--disable-network-policy'));
    const mayListPods = ['auth', 'can-i', 'list', 'pods', '--as=system:kube-proxy', '-A'];
    await eventually(async () => (await server().tryKubectl(...mayListPods)).code !== 0, {
      withinMs: 30_000,
      what: 'the end of the rights',
    });
    // They ask once a minute, too.
    const flags = await nodes().joinFlags();
    await Promise.all(nodes().agents.map((agent) => again(agent, () => agent.startAgent(...flags))));
    for (const name of ['a1', 'a2']) await expect.poll(() => table(name), { timeout: 10_000 }).toBe('');
    await expect
      .poll(() => reaching('friend-a2 > web-a1', 'guest > web-a2'), patiently)
      .toEqual(['friend-a2 > web-a1', 'guest > web-a2']);
  });
}
