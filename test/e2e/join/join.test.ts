/** The line that a server's first screen shows, typed on another box. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { executable } from '../../helpers/cluster.ts';
import { createLab, type Lab, type LabHost } from '../../helpers/lab.ts';
import { eventually } from '../../helpers/wait.ts';

let lab: Lab;
let server: LabHost;
let agent: LabHost;

const kagent = (...args: readonly string[]) => [
  'env',
  '-i',
  'HOME=/root',
  'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
  executable,
  ...args,
];
const kubectl = (...args: readonly string[]) => server.must(kagent('kubectl', ...args), { timeoutMs: 60_000 });

async function startReady(host: LabHost, ...args: readonly string[]): Promise<void> {
  host.start(kagent(...args));
  const isReady = async () => {
    const { code, stdout } = await host.exec(kagent('status', '-o', 'json'));
    return code === 0 && (JSON.parse(stdout) as { readonly isReady: boolean }).isReady;
  };
  await eventually(isReady, { withinMs: 120_000, what: `a Ready ${host.name}` });
}

beforeAll(async () => {
  lab = await createLab();
  server = await lab.host('s1', 11);
  agent = await lab.host('a1', 21);
  await startReady(server, 'server');
});
afterAll(() => lab?.wipe());

test('an agent with the right token becomes a node, and pods of both nodes reach each other', async () => {
  const token = (await server.must(['cat', '/var/lib/kagent/server/node-token'])).trim();
  await startReady(agent, 'agent', '--url', `https://${server.address}:9345`, '--token', token);
  const script = 'mkdir /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www';
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'web', image: 'kagent.sh/busybox:1.35', command: ['sh', '-c', script] }] },
  };
  const web = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { app: 'web' } }, template },
  };
  await server.must(['sh', '-c', `cat >/tmp/web.json <<'END'\n${JSON.stringify(web)}\nEND`]);
  await kubectl('apply', '-f', '/tmp/web.json');
  await kubectl('rollout', 'status', 'daemonset/web', '--timeout=50s');
  interface Pod {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly podIP: string };
  }
  const { items } = JSON.parse(await kubectl('get', 'pods', '-o', 'json')) as { readonly items: readonly Pod[] };
  expect(new Set(items.map((pod) => pod.spec.nodeName))).toEqual(new Set(['s1', 'a1']));
  for (const from of items) {
    for (const to of items) {
      const answer = await kubectl('exec', from.metadata.name, '--', 'wget', '-qO-', `http://${to.status.podIP}`);
      expect(answer.trim()).toBe(to.metadata.name);
    }
  }
});

test('an agent with a wrong token is refused with one sentence, and its secret is not in it', async () => {
  const token = (await server.must(['cat', '/var/lib/kagent/server/node-token'])).trim();
  const wrong = token.replace(/::.*/, '::server:not-the-secret');
  const url = `https://${server.address}:9345`;
  const stranger = await lab.host('a2', 22);
  const { code, stderr } = await stranger.exec(kagent('agent', '--url', url, '--token', wrong), { timeoutMs: 60_000 });
  expect(code).toBe(1);
  expect(stderr).toMatch(/kagent: .*token/);
  expect(stderr).not.toContain('not-the-secret');
});
