import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';

const loadBalancer = (name: string, spec: object) => `---
${JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ...spec },
})}
`;

/** Answers with the address it is asked from. */
const caller = `---
apiVersion: v1
kind: Pod
metadata: { name: caller, labels: { app: caller } }
spec:
  nodeName: a1
  terminationGracePeriodSeconds: 1
  containers:
  - name: caller
    image: IMAGE
    command:
    - sh
    - -c
    - |
      mkdir -p /www/cgi-bin
      printf '#!/bin/sh\\nprintf "content-type: text/plain\\\\r\\\\n\\\\r\\\\n%%s\\\\n" "$REMOTE_ADDR"\\n' >/www/cgi-bin/who
      chmod +x /www/cgi-bin/who
      exec httpd -f -p 80 -h /www
    readinessProbe: { httpGet: { port: 80, path: /cgi-bin/who }, periodSeconds: 1 }
`;

const withHostPort = `---
apiVersion: v1
kind: Pod
metadata: { name: with-host-port }
spec:
  nodeName: a1
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: IMAGE
    command: [httpd, -f, -p, '80']
    ports: [{ containerPort: 80, hostPort: 8083 }]
`;

/** Services of type LoadBalancer: the DaemonSet `web` answers on every node already. */
export function loadBalancerStories(nodes: () => Nodes): void {
  const server = () => nodes().server;
  const kubectl = (...args: readonly string[]) => server().kubectl(...args);
  const addressOf = (name: string) => {
    const box = [server(), ...nodes().agents].find(({ host }) => host.name === name);
    if (box === undefined) throw new Error(`there is no box ${name}`);
    return box.host.address;
  };
  const ingressOf = async (name: string) =>
    (await kubectl('get', 'service', name, '-o', 'jsonpath={.status.loadBalancer.ingress[*].ip}')).split(' ');
  const untilAt = (name: string, ...boxes: readonly string[]) =>
    eventually(async () => (await ingressOf(name)).join() === boxes.map(addressOf).join(), {
      what: `the addresses of ${boxes.join(', ')} for ${name}`,
    });
  const eventsOf = (name: string, reason: string) =>
    kubectl(
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${name},reason=${reason}`,
      '-o',
      'jsonpath={.items[*].message}',
    );
  let outside: Box;

  beforeAll(async () => {
    outside = await nodes().addBox('outside', 41);
  });
  // Another story's Service may want one of their ports.
  afterAll(() => kubectl('delete', 'service', 'who', 'greedy', 'same-port', 'waiting'));

  test('a LoadBalancer Service has the addresses of all nodes, and answers there from outside, from nodes and from pods', async () => {
    await server().apply(loadBalancer('web-lb', { ports: [{ port: 8080, targetPort: 80 }] }));
    await untilAt('web-lb', 'a1', 'a2', 's1');
    const urls = ['a1', 'a2', 's1'].map((name) => `http://${addressOf(name)}:8080`);
    for (const box of [outside, server(), ...nodes().agents])
      for (const url of urls) expect(await box.sh(`curl -sf -m 5 ${url}`)).toMatch(/^web-/);
    const [pod = ''] = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'name')).split('\n');
    for (const url of urls)
      expect(await kubectl('exec', pod, '--', 'wget', '-q', '-T', '5', '-O', '-', url)).toMatch(/^web-/);
  });

  test('with the policy Local it is at the node of its pod, which sees the client’s own address', async () => {
    await server().apply(
      caller +
        loadBalancer('who', {
          selector: { app: 'caller' },
          externalTrafficPolicy: 'Local',
          ports: [{ port: 8081, targetPort: 80 }],
        }),
    );
    await untilAt('who', 'a1');
    const seen = await outside.sh(`curl -sf -m 5 http://${addressOf('a1')}:8081/cgi-bin/who`);
    expect(seen.trim()).toBe(`[::ffff:${outside.host.address}]`);
    const refused = await outside.host.exec(['curl', '-s', '-m', '5', `http://${addressOf('s1')}:8081/cgi-bin/who`]);
    expect(refused.code).not.toBe(0);
  });

  test('a port of the host stays the host’s: the Service is at the other nodes, and an event names the program', async () => {
    await server().apply(loadBalancer('greedy', { ports: [{ port: 9345, targetPort: 80 }] }));
    await untilAt('greedy', 'a1', 'a2');
    await eventually(
      async () => /port 9345\/TCP of s1 belongs to \S+ \(pid \d+\)/.test(await eventsOf('greedy', 'PortInUse')),
      {
        what: 'the event of the port',
      },
    );
    expect(await outside.sh(`curl -sk -m 5 https://${addressOf('s1')}:9345/cacerts`)).toContain('BEGIN CERTIFICATE');
  });

  test('a pod’s hostPort stays the pod’s', async () => {
    await server().apply(withHostPort);
    await kubectl('wait', 'pod/with-host-port', '--for=condition=Ready', '--timeout=60s');
    await server().apply(loadBalancer('same-port', { ports: [{ port: 8083, targetPort: 80 }] }));
    await untilAt('same-port', 'a2', 's1');
    const said = await eventually(async () => (await eventsOf('same-port', 'PortInUse')) || undefined, {
      what: 'the event that names the pod',
    });
    expect(said).toContain('belongs to the Pod default/with-host-port (hostPort)');
  });

  test('a port that one Service gives up goes to the one that waits for it', async () => {
    await server().apply(loadBalancer('waiting', { ports: [{ port: 8080, targetPort: 80 }] }));
    await eventually(
      async () => (await eventsOf('waiting', 'PortInUse')).includes('belongs to the Service default/web-lb'),
      {
        what: 'the event of the waiting Service',
      },
    );
    expect(await ingressOf('waiting')).toEqual(['']);
    await kubectl('delete', 'service', 'web-lb');
    await untilAt('waiting', 'a1', 'a2', 's1');
    expect(await outside.sh(`curl -sf -m 5 http://${addressOf('a2')}:8080`)).toMatch(/^web-/);
  });
}
