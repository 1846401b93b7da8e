import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAccount } from '../../../../src/server/control-plane/account.ts';
import type { AccountOptions } from '../../../../src/server/control-plane/account.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const apiserver = 2_109_345_001;
const scheduler = 2_109_345_003;

function host() {
  const dir = temporaryDir();
  chmodSync(dir, 0o755);
  const open = (options: Partial<AccountOptions> = {}) =>
    openAccount({
      program: 'kube-apiserver',
      extraArgs: [],
      port: 6443,
      runDir: join(dir, 'run'),
      ...options,
    });
  const secret = join(dir, 'private', 'a.key');
  mkdirSync(join(dir, 'private'), { mode: 0o700 });
  writeFileSync(secret, 'secret', { mode: 0o600 });
  return { dir, open, secret };
}

/** What this user can read there. */
function readAs(uid: number, path: string): string {
  const { stdout, stderr } = spawnSync('cat', [path], { uid, gid: uid, encoding: 'utf8' });
  return stdout === '' ? (/Permission denied/.exec(stderr)?.[0] ?? stderr) : stdout;
}

test("a program reads the file it was given, nobody else but root does, and root's own stays as it was", () => {
  const { open, secret } = host();
  const account = open();
  const given = account.give(secret);
  expect(account).toMatchObject({ group: apiserver, isRootBecause: undefined });
  expect(readAs(apiserver, given)).toBe('secret');
  expect(readAs(scheduler, given)).toBe('Permission denied');
  expect(readAs(apiserver, secret)).toBe('Permission denied');
  expect(statSync(secret)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 });
  expect(spawnSync('sh', ['-c', `echo x >${given}`], { uid: apiserver, gid: apiserver }).status).not.toBe(0);
});

test('a file that was renewed is given again; what an earlier start gave is gone', () => {
  const { dir, open, secret } = host();
  const account = open();
  const given = account.give(secret);
  writeFileSync(secret, 'renewed');
  account.refresh();
  expect(readFileSync(given, 'utf8')).toBe('renewed');
  expect(readAs(apiserver, given)).toBe('renewed');
  open();
  expect(readdirSync(join(dir, 'run', 'kube-apiserver'))).toEqual([]);
});

test('two files of one name are not given to one program', () => {
  const { dir, open, secret } = host();
  const account = open();
  account.give(secret);
  expect(() => account.give(join(dir, 'a.key'))).toThrow(/have one name/);
});

test('for a port below 1024 it keeps the one capability that needs', () => {
  const { open } = host();
  expect(open({ port: 443 }).securityContext).toMatchObject({ addCapabilities: ['net_bind_service'] });
  expect(open().securityContext).toEqual({ runAsUser: apiserver, allowPrivilegeEscalation: false });
});

test.each([
  ['a file of root alone', (secret: string) => [`encryption-provider-config=${secret}`], 'private'],
  ['a socket by its URL', (secret: string) => [`x=unix://${secret}`], 'private'],
  ['one of several', (secret: string) => [`tls-sni-cert-key=/etc/hostname,${secret}`], 'private'],
  ['a log in a folder of root', () => ['audit-log-path=/var/log/kube-audit.log'], '/var/log'],
])('where an argument names %s, the program is root as before, and it is said why', (_, args, closed) => {
  const { open, secret } = host();
  const account = open({ extraArgs: args(secret) });
  expect(account).toMatchObject({ group: undefined, securityContext: { allowPrivilegeEscalation: false } });
  expect(account.isRootBecause).toMatch(new RegExp(`leads to .*${closed}, which is closed to user ${apiserver}`));
  expect(account.give(secret)).toBe(secret);
});

test('a configuration that leads to a file of root alone counts, too', () => {
  const { dir, open, secret } = host();
  const config = join(dir, 'admission.yaml');
  const kubeconfig = join(dir, 'webhook.yaml');
  writeFileSync(config, `plugins: [{ path: "${kubeconfig}" }]\n`);
  writeFileSync(kubeconfig, `users: [{ user: { client-key: ${secret} } }]\n`);
  expect(open({ extraArgs: [`admission-control-config-file=${config}`] }).isRootBecause).toContain('private');
});

test('arguments that name no file, or one that is open, change nothing', () => {
  const { dir, open } = host();
  const policy = join(dir, 'audit-policy.yaml');
  writeFileSync(policy, 'apiVersion: audit.k8s.io/v1\n');
  const logs = join(dir, 'audit');
  mkdirSync(logs);
  chownSync(logs, apiserver, apiserver);
  const extraArgs = [
    'v=4',
    `audit-policy-file=${policy}`,
    `audit-log-path=${join(logs, 'audit.log')}`,
    'oidc-issuer-url=https://example.com/realm',
    'service-cluster-ip-range=10.43.0.0/16',
  ];
  expect(open({ extraArgs }).isRootBecause).toBeUndefined();
});

test('a URL names no file', () => {
  const { dir, open } = host();
  const extraArgs = [
    'service-account-issuer=https://id.example.com/a',
    'cors-allowed-origins=https://a.com,http://b.com/c',
  ];
  expect(open({ extraArgs }).isRootBecause).toBeUndefined();
  const socket = join(dir, 'closed');
  mkdirSync(socket, { mode: 0o700 });
  expect(open({ extraArgs: [`x=unix://${socket}/s`] }).isRootBecause).toContain('closed');
});
