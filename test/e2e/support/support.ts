/** What somebody needs who is to help, and no secret. */
import { existsSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { endKagent, needs } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { theBox } from '../one-server.ts';

/** Planted where secrets are kept; none may be found in an archive. */
const canaries = {
  token: 'canaryTokenOfServers',
  agentToken: 'canaryTokenOfAgents',
  registryUser: 'canaryUser',
  registryPassword: 'canaryPasswordOfRegistry',
  oidcSecret: 'canaryClientSecret',
  environment: 'canaryInEnvironment',
  service: 'canaryInServiceFile',
  serviceEnvironment: 'canaryInServiceEnvironment',
  broken: 'canaryInBrokenSettings',
  object: 'canaryInSecretObject',
  configMap: 'canaryInConfigMap',
  log: 'canary:PasswordInLog',
} as const;

let box: Box;

beforeAll(async () => {
  box = theBox();
  await endKagent(box);
  needs(!existsSync(box.path('/etc/kagent/config.yaml')), 'a box without settings');
  await box.sh(`mkdir -p /etc/kagent /etc/systemd/system
cat >/etc/kagent/config.yaml <<'END'
# token: ${canaries.token}
agent-token: ${canaries.agentToken}
write-kubeconfig-mode: '0644'
END
cat >/etc/kagent/registries.yaml <<'END'
configs:
  registry.example.com: { auth: { username: ${canaries.registryUser}, password: ${canaries.registryPassword} } }
END`);
  // The service's files alone: this box runs no service manager.
  await box.sh(
    `KAGENT_TOKEN=${canaries.serviceEnvironment} kagent service install --manager none --no-enable --no-start -- server --agent-token ${canaries.service}`,
  );
  await box.startServer('--token', canaries.token);
  await eventually(async () => (await box.status()).isReady, { withinMs: 60_000, what: 'all of the server' });
  await box.kubectl('create', 'secret', 'generic', 'canary', `--from-literal=a=${canaries.object}`);
  await box.kubectl('create', 'configmap', 'canary', `--from-literal=a=${canaries.configMap}`);
  const url = `https://me:${canaries.log}@proxy.example.com`;
  await box.sh(`echo 'dial ${url}: refused' >>/var/lib/kagent/logs/kubelet.log`);
});

/** @returns the archive's files with their texts, and what the command said */
async function support(...words: readonly string[]) {
  const said = await box.sh(
    `cd /tmp && rm -rf support && mkdir support && cd support && KAGENT_TOKEN=${canaries.environment} ${words.join(' ')} kagent support -o x.tar.gz && stat -c %a x.tar.gz && tar xzf x.tar.gz --strip-components=1 && rm x.tar.gz`,
  );
  const names = (await box.sh('cd /tmp/support && find . -type f')).trim().split('\n');
  const texts = new Map<string, string>();
  for (const name of names) texts.set(name.slice(2), await box.sh(`cat '/tmp/support/${name}'`));
  return { said, texts };
}

/** Every private key of the box, without its first and last line. */
async function keys(): Promise<readonly string[]> {
  const files = await box.sh(`grep -rlE 'BEGIN .*PRIVATE KEY' /var/lib/kagent/server/tls /var/lib/kagent/agent`);
  const bodies = files
    .trim()
    .split('\n')
    .map((file) => box.sh(`sed -n 2p '${file}'`));
  return (await Promise.all(bodies)).map((line) => line.trim());
}

async function expectNoSecret(texts: ReadonlyMap<string, string>): Promise<void> {
  const tokens = (await box.sh('cat /var/lib/kagent/server/token /var/lib/kagent/server/node-token'))
    .trim()
    .split('\n');
  const password = JSON.parse(await box.sh('cat /var/lib/kagent/agent/identity.json')) as { readonly password: string };
  const secrets = [...Object.values(canaries), ...tokens, password.password, ...(await keys())];
  const encoded = secrets.map((secret) => Buffer.from(secret).toString('base64').replaceAll('=', ''));
  const found = [...texts].flatMap(([name, text]) =>
    [...secrets, ...encoded].filter((secret) => text.includes(secret)).map((secret) => `${secret} in ${name}`),
  );
  expect(secrets.length).toBeGreaterThan(15);
  expect(found).toEqual([]);
}

test('the archive of a running server has everything, and no secret', async () => {
  const { said, texts } = await support();
  expect(said).toMatch(/^\/tmp\/support\/x\.tar\.gz: \d+ files, \d+ MiB, mode 0600\n[\s\S]*\n600\n$/);
  expect(texts.get('errors.txt')?.split('\n')).not.toContainEqual(expect.stringMatching(/^(cluster|kagent|node)\//));
  expect(JSON.parse(texts.get('kagent/status.json') ?? '')).toMatchObject({ mode: 'server', isStarted: true });
  expect(texts.get('kagent/doctor.json')).toContain('findings');
  expect(texts.get('settings/etc/kagent/config.yaml')).toContain('agent-token: "[redacted]"');
  expect(texts.get('settings/etc/kagent/registries.yaml')).toContain('registry.example.com');
  expect(texts.get('settings/etc/kagent/kagent.env')).toContain('KAGENT_TOKEN=[redacted]');
  expect(texts.get('settings/etc/kagent/kagent.start')).toContain('server');
  expect(texts.get('kagent/children.txt')).toContain('--service-cluster-ip-range=10.43.0.0/16');
  expect(texts.get('kagent/certificates.txt')).toContain('server-ca.crt');
  expect(texts.get('cluster/nodes.txt')).toMatch(/s1 +Ready/);
  expect(texts.get('cluster/events.txt')).toContain('kube-system');
  expect(texts.get('cluster/readyz.txt')).toContain('[+]ping ok');
  expect(texts.get('node/pods.txt')).toContain('coredns');
  expect(texts.get('box/iptables-save.txt')).toContain('KUBE-SERVICES');
  expect(texts.get('box/links.txt')).toContain('cni0');
  expect(texts.get('logs/kubelet.log')).toContain('dial https://me:[redacted]@proxy.example.com: refused');
  expect([...texts.keys()]).toEqual(expect.arrayContaining(['logs/kube-apiserver.log', 'logs/containerd.log']));
  await expectNoSecret(texts);
});

test('with kagent down it has what is on the disk, says what it could not have, and takes no long time', async () => {
  await endKagent(box);
  await box.sh(`printf 'token: %s\\n  broken: [' ${canaries.broken} >/etc/kagent/config.yaml`);
  const from = performance.now();
  const { texts } = await support();
  console.log(`without a kagent after ${Math.round(performance.now() - from)} ms`);
  expect(texts.get('errors.txt')).toMatch(/^kagent\/status\.json: no kagent answers at /m);
  expect(texts.get('errors.txt')).toMatch(/^settings\/etc\/kagent\/config\.yaml: it is no YAML .*left out/m);
  expect([...texts.keys()]).toEqual(
    expect.arrayContaining(['logs/kubelet.log', 'box/disks.txt', 'kagent/version.txt']),
  );
  await expectNoSecret(texts);
});
