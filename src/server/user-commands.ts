/** `kagent kubeconfig user`: a certificate for a person. The key is made here and leaves this box in the files alone. */
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { Command, Option } from 'commander';
import { duration, secretSetting, collected } from '../cli/cli.ts';
import { askServer } from '../host/daemon/daemon.ts';
import { writeFileAtomicSync } from '../shared/files/files.ts';
import { kubeconfigText } from '../kube/kube.ts';
import { runPaths } from '../shared/paths.ts';
import { UserCreated } from '../shared/protocol/local.ts';
import type { NewUserRequest } from '../shared/protocol/local.ts';
import { pkcs12 } from './pkcs12.ts';

interface UserFlags {
  readonly group: readonly string[];
  readonly ttl: number;
  readonly server?: string;
  readonly output?: string;
  readonly p12?: string;
  readonly p12PasswordFile?: string;
}

const yearMs = 365 * 24 * 3_600_000;

export function kubeconfigCommand(): Command {
  const kubeconfig = new Command('kubeconfig').description('Create kubeconfigs for users');
  kubeconfig
    .command('user')
    .description('Issue a certificate for a user and print a kubeconfig with it; RBAC says what it allows')
    .argument('<name>', "the user's name in RoleBindings: anna, anna@example.org")
    .option('--group <group>', 'a group in RoleBindings; may be given several times', collected, [])
    .addOption(
      new Option('--ttl <time>', 'how long it is valid, such as 90d or 12h')
        .argParser(duration)
        .default(yearMs, '365d'),
    )
    .option('--server <url>', "address of kube-apiserver (this server's)")
    .option('-o, --output <file>', 'write it to a file that only you can read')
    .option('--p12 <file>', 'also write key and certificate to a file for a browser')
    .option('--p12-password-file <file>', 'file that holds its password (made and printed unless given)')
    .action(makeUser);
  return kubeconfig;
}

async function makeUser(name: string, flags: UserFlags): Promise<void> {
  const pair = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const publicKeyPem = String(pair.publicKey.export({ type: 'spki', format: 'pem' }));
  const body: NewUserRequest = { name, groups: [...flags.group], ttlMs: flags.ttl, publicKeyPem };
  const made = await askServer(runPaths.statusSocket, { method: 'POST', path: '/v1/users', body }, UserCreated);
  if (flags.p12 !== undefined) {
    const keyDer = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    await writePkcs12(flags.p12, { name, keyDer, certDer: new X509Certificate(made.certPem).raw }, flags);
  }
  const text = kubeconfigText({
    server: flags.server ?? made.apiserverUrl,
    user: name,
    ca: { text: made.caPem },
    certificate: { text: made.certPem },
    key: { text: String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })) },
  });
  if (flags.output === undefined) process.stdout.write(text);
  else writeFileAtomicSync(flags.output, text, 0o600);
  say(
    `the certificate of ${name} is valid until ${made.notAfter}; it cannot be revoked before, only its rights can be taken away`,
  );
  if (flags.group.includes('system:masters'))
    say('its user is in system:masters: RBAC cannot restrict it, and only a new client CA revokes it');
}

async function writePkcs12(
  path: string,
  content: { readonly name: string; readonly keyDer: Buffer; readonly certDer: Buffer },
  { p12PasswordFile }: UserFlags,
): Promise<void> {
  const given = secretSetting(undefined, p12PasswordFile)?.reveal();
  const password = given ?? randomBytes(15).toString('base64url');
  writeFileAtomicSync(path, await pkcs12({ ...content, password }), 0o600);
  say(
    given === undefined ? `the password of ${path} is ${password}` : `${path} has the password in ${p12PasswordFile}`,
  );
}

/** Beside what is printed for a file. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
