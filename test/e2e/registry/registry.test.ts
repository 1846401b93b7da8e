import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { pushImages, registryFiles } from '../../helpers/registry.ts';
import type { RegistryFiles } from '../../helpers/registry.ts';
import { eventually } from '../../helpers/wait.ts';

// A registry with TLS of its own CA on another box: port 5000 wants a password, port 5001 does not.
const host = 'registry.test';
const dir = mkdtempSync('/var/tmp/kagent-registry-');
let nodes: Nodes;
let files: RegistryFiles;
let registry: Box;

beforeAll(async () => {
  mkdirSync(dir, { recursive: true });
  files = await registryFiles(dir, host);
  const words = {
    'mirror/one': 'first',
    'mirror/two': 'second',
    'mirror/three': 'third',
    'mirror/five': 'fifth',
    'team/four': 'fourth',
  };
  await pushImages(dir, files.program, words);
  nodes = await createNodes('registry', { agents: 0 });
  const { server } = nodes;
  registry = await nodes.addBox('r1', 31);
  await setPassword('spring');
  for (const [port, isPrivate] of [
    [5000, true],
    [5001, false],
  ] as const) {
    registry.run([files.program, 'serve', await files.config({ port, isPrivate })]);
  }
  await server.sh(`echo '${registry.host.address} ${host}' >>/etc/hosts; mkdir -p /etc/kagent`);
}, 300_000);
afterAll(async () => {
  await nodes?.wipe();
  rmSync(dir, { recursive: true, force: true });
});

const server = () => nodes.server;

async function setPassword(password: string): Promise<void> {
  await writeFile(registry.path(files.passwordsFile), await files.passwordLine('puller', password));
}

async function writeRegistries(text: string): Promise<void> {
  await writeFile(server().path('/etc/kagent/registries.yaml'), text);
}

function registries(password: string): string {
  return `mirrors:
  images.example.org:
    endpoint: ["https://${host}:5000"]
    rewrite:
      "(?i)^TEAM/(.*)": "mirror/$1"
  open.example.org:
    endpoint: ["https://${host}:5001"]
configs:
  ${host}:5000:
    auth: { username: puller, password: ${password} }
    tls: { ca_file: ${files.caFile} }
  ${host}:5001:
    tls: { ca_file: ${files.caFile} }
`;
}

/** Until a pod of the image has said its word. */
async function wordOf(name: string, image: string): Promise<string> {
  await startPod(name, image);
  await server().kubectl('wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
  return await server().kubectl('logs', name);
}

async function startPod(name: string, image: string): Promise<void> {
  const spec = { restartPolicy: 'Never', containers: [{ name: 'main', image }] };
  await server().apply(`${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })}\n`);
}

async function pidsOf(box: Box): Promise<readonly unknown[]> {
  const status = await box.status();
  const containerd = status.components.find((component) => component.name === 'containerd');
  return [status.pid, containerd?.pid, containerd?.restarts];
}

test('a pod pulls through a mirror with TLS, a password and rewritten names; another one after both passwords changed; nothing restarts', async () => {
  const before = await pidsOf(server());
  await writeRegistries(registries('spring'));
  expect(await wordOf('one', 'images.example.org/team/one:1')).toBe('first\n');

  await setPassword('autumn');
  await startPod('two', 'images.example.org/team/two:1');
  const refused = () => server().kubectl('get', 'events', '--field-selector', 'involvedObject.name=two');
  await eventually(async () => /401|authentication required|authorization/i.test(await refused()), {
    withinMs: 60_000,
    what: 'the refusal of the old password',
  });
  await writeRegistries(registries('autumn'));
  await server().kubectl('wait', 'pod/two', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=90s');
  expect(await server().kubectl('logs', 'two')).toBe('second\n');
  expect(await pidsOf(server())).toEqual(before);
}, 240_000);

test('a mirror without a password is asked by containerd itself', async () => {
  expect(await wordOf('four', 'open.example.org/team/four:1')).toBe('fourth\n');
  const text = await server().sh('cat /var/lib/kagent/agent/etc/containerd/certs.d/open.example.org/hosts.toml');
  expect(text).toContain(`[host."https://${host}:5001/v2"]`);
});

test('images of a list are pulled through the mirror while it runs, and a link to nothing is a warning with its name', async () => {
  const images = '/var/lib/kagent/agent/images';
  await server().sh(`ln -s /not/there ${images}/dangling.tar; echo images.example.org/team/five:1 >${images}/list.txt`);
  const pinned = async () => {
    const { stdout } = await server().host.exec(['/usr/local/bin/kagent', 'crictl', 'images', '-o', 'json']);
    const { images: found } = JSON.parse(stdout) as { images: { repoTags: string[]; pinned: boolean }[] };
    return found.find(({ repoTags }) => repoTags.includes('images.example.org/team/five:1'))?.pinned;
  };
  await eventually(pinned, { what: 'the image of the list', withinMs: 60_000, everyMs: 1000 });
  const { components, events } = await server().status();
  expect(events.some(({ message }) => message === `${images}/dangling.tar: it links to nothing`)).toBe(true);
  expect(components.find(({ name }) => name === 'images')?.condition.message).toContain(
    'dangling.tar: it links to nothing',
  );
}, 90_000);

test('a file that is not sound is an event that names the line, and what was there before stays in use', async () => {
  await writeRegistries(`${registries('autumn')}    tsl: {}\n`);
  await eventually(
    async () => (await server().status()).events.some((event) => /registries\.yaml line 14.*tsl/.test(event.message)),
    { what: 'the event' },
  );
  expect(await wordOf('three', 'images.example.org/team/three:1')).toBe('third\n');
}, 90_000);

test('neither a log nor what others may read has the password', async () => {
  const found = await server().host.exec(['grep', '-rl', 'autumn', '/var/lib/kagent', '/run/kagent', '/var/log']);
  expect(found.stdout).toBe('');
  const { stdout } = await server().host.exec([
    'find',
    '/var/lib/kagent/agent/etc/containerd/certs.d',
    '-type',
    'f',
    '-perm',
    '/077',
  ]);
  expect(stdout).toBe('');
});
