/** Who may do what: accounts that an administrator gives away, the administrator's own file, and `--profile cis`. */
import { beforeAll, expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { restartServer } from '../../helpers/shared.ts';
import { theBox } from '../one-server.ts';

let box: Box;
beforeAll(async () => {
  box = theBox();
  await restartServer(box);
});

const as = (kubeconfig: string, ...args: readonly string[]) => box.tryKubectl(`--kubeconfig=${kubeconfig}`, ...args);

test('a person may do what RBAC gives to the name or the group, and nothing else', async () => {
  const made = await box.kagent(['kubeconfig', 'user', 'anna', '--group', 'dev', '--ttl', '90d', '-o', '/root/anna']);
  expect(made).toMatchObject({ code: 0, stdout: '' });
  expect(made.stderr).toContain('cannot be revoked');
  expect(await box.sh('stat -c %a /root/anna')).toBe('600\n');

  const refused = await as('/root/anna', 'get', 'pods');
  expect(refused.stderr).toContain('User "anna" cannot list resource "pods"');
  await box.kubectl('create', 'rolebinding', 'dev', '--clusterrole=view', '--group=dev');
  expect((await as('/root/anna', 'get', 'pods')).code).toBe(0);
  expect((await as('/root/anna', 'get', 'pods', '-n', 'kube-system')).stderr).toContain('cannot list resource "pods"');
  expect((await as('/root/anna', 'create', 'configmap', 'a')).stderr).toContain('cannot create resource "configmaps"');
  const { stdout } = await as('/root/anna', 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.groups}');
  expect(JSON.parse(stdout)).toEqual(['dev', 'system:authenticated']);
});

test('a file for browsers has the same certificate; its password is printed once', async () => {
  const { code, stdout, stderr } = await box.kagent(['kubeconfig', 'user', 'ben', '--p12', '/root/ben.p12']);
  expect(code).toBe(0);
  expect(stdout).toContain('client-key-data');
  const [, password = ''] = /the password of \/root\/ben\.p12 is (\S+)/.exec(stderr) ?? [];
  const subject = `openssl pkcs12 -in /root/ben.p12 -passin pass:${password} -nokeys | openssl x509 -noout -subject`;
  expect(await box.sh(subject)).toMatch(/CN ?= ?ben/);
  expect(await box.sh('stat -c %a /root/ben.p12')).toBe('600\n');
});

test('nobody is an administrator by accident', async () => {
  const admin = await box.kagent(['kubeconfig', 'user', 'root', '--group', 'system:masters', '-o', '/root/admin']);
  expect(admin.stderr).toContain('RBAC cannot restrict it');
  expect((await as('/root/admin', 'get', 'secrets', '-A')).code).toBe(0);
  const node = await box.kagent(['kubeconfig', 'user', 'system:node:s1', '--group', 'system:nodes']);
  expect(node).toMatchObject({ code: 1, stdout: '' });
  expect(node.stderr).toContain("a name for Kubernetes' own parts");
});

test('the mode and the group of the administrator’s file are what the last start was told', async () => {
  await restartServer(box, '--write-kubeconfig-mode', '640', '--write-kubeconfig-group', 'adm');
  expect(await box.sh('stat -c "%a %G" /etc/kagent/kagent.yaml')).toBe('640 adm\n');
  const asMember = 'setpriv --reuid=65534 --regid=adm --clear-groups env HOME=/nonexistent';
  expect(await box.sh(`${asMember} kagent kubectl get nodes -o name`)).toBe('node/s1\n');
}, 60_000);

test('with --profile cis the cluster runs, and of the benchmark fails what docs/cis.md says; the token is in no process', async () => {
  await restartServer(box, '--profile', 'cis', '--token', 'a-token-of-its-own');
  const { pid } = await box.status();
  const commandLine = await box.sh(`tr '\\0' ' ' </proc/${pid}/cmdline`);
  expect(commandLine).toContain('--token [redacted]');
  expect(await box.sh('cat /var/lib/kagent/server/token')).toContain('a-token-of-its-own');

  const { stdout } = await box.kagent(['doctor', '--cis', '-o', 'json']);
  const results = JSON.parse(stdout) as readonly { id: string; state: string; why: string }[];
  const failed = results.filter(({ state }) => state === 'fail').map(({ id, why }) => `${id} ${why}`);
  expect(failed).toEqual([
    expect.stringMatching(/^1\.2\.9 /),
    expect.stringMatching(/^1\.2\.11 /),
    expect.stringMatching(/^1\.2\.27 /),
    expect.stringMatching(/^1\.2\.28 /),
  ]);

  await box.kubectl('create', 'secret', 'generic', 's', '--from-literal=a=content-of-a-secret');
  const refused = await box.tryKubectl('run', 'open', '--image=kagent.sh/busybox:1', '--privileged');
  expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
  const audit = await box.sh('cat /var/lib/kagent/audit/audit.log');
  expect(audit).toMatch(/"verb":"create".*"resource":"secrets","namespace":"default","name":"s"/);
  expect(audit).not.toContain('content-of-a-secret');
  expect(audit).not.toContain(Buffer.from('content-of-a-secret').toString('base64'));
}, 120_000);
