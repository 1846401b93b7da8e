/** What other users of a box could read: process arguments, units, scripts. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';
import { makeBox, makeCheckout, writeExecutable } from './box.ts';
import type { Box } from './box.ts';

const main = resolve(import.meta.dirname, '../../../src/main.ts');
const secret = 'K10a-secret-of-the-cluster';
const pinned = `K10${'0'.repeat(64)}::abcdef.0123456789abcdef`;

/** Every file of a box that is not its owner's alone, and has the secret in it. */
function readableWithSecret(box: Box): readonly string[] {
  const below = ['etc', 'run', 'usr'].filter((name) => existsSync(box.path(name)));
  return below
    .flatMap((name) =>
      readdirSync(box.path(name), { recursive: true, encoding: 'utf8' }).map((path) => box.path(name, path)),
    )
    .filter((path) => statSync(path).isFile() && (statSync(path).mode & 0o077) !== 0)
    .filter((path) => readFileSync(path, 'utf8').includes(secret));
}

const managers = {
  systemd: {
    definition: 'etc/systemd/system/kagent-agent.service',
    environment: 'etc/systemd/system/kagent-agent.service.env',
  },
  openrc: { definition: 'etc/init.d/kagent-agent', environment: 'etc/kagent/kagent-agent.env' },
  none: { definition: 'etc/kagent/kagent-agent.start', environment: 'etc/kagent/kagent-agent.env' },
} as const;

/** A box whose installation notes the arguments of every program that it runs. */
function watchedBox() {
  const box = makeBox();
  const script = makeCheckout(box);
  const log = box.path('arguments');
  writeFileSync(log, '');
  const words = new Set(readFileSync(script, 'utf8').match(/\b[a-z][a-z0-9]+\b/g));
  for (const dir of ['/usr/bin', '/bin']) {
    for (const name of readdirSync(dir).filter((one) => words.has(one))) {
      box.command(name, `printf '%s\\n' "${name} $*" >>'${log}'\nexec '${join(dir, name)}' "$@"\n`);
    }
  }
  writeExecutable(box.path('checkout/dist/kagent'), `noted\nprintf '%s\\n' "kagent $*" >>'${log}'`);
  for (const name of ['systemctl', 'rc-update', 'rc-service']) box.command(name, 'exit 0\n');
  mkdirSync(box.path('etc/systemd/system'), { recursive: true });
  return { box, script, argumentsSeen: () => readFileSync(log, 'utf8') };
}

type Form = readonly [how: string, args: readonly string[], env: Readonly<Record<string, string>>];
const forms: readonly Form[] = [
  ['a flag with its value', ['agent', `--token=${secret}`, '--url=https://10.0.0.1:9345'], {}],
  ['k3s’s habits', [], { K3S_URL: 'https://10.0.0.1:9345', K3S_TOKEN: secret }],
  ['INSTALL_KAGENT_EXEC', [], { INSTALL_KAGENT_EXEC: `agent --url 'https://10.0.0.1:9345' -t "${secret}"` }],
];

describe.each(Object.entries(managers))('under %s', (manager, files) => {
  const how = { INSTALL_KAGENT_SERVICE_MANAGER: manager, INSTALL_KAGENT_SKIP_START: 'true' };

  const others: readonly Form[] = manager === 'none' ? forms : [];
  test.each<Form>([['a flag', ['agent', '--url', 'https://10.0.0.1:9345', '--token', secret], {}], ...others])(
    'a token that is given as %s is in the 0600 file alone, and no argument of any program',
    async (_, args, env) => {
      const { box, script, argumentsSeen } = watchedBox();
      expect(await box.install(script, args, { ...how, ...env })).toMatchObject({ code: 0 });
      expect(box.read(files.environment)).toContain(`KAGENT_TOKEN=${secret}\n`);
      expect(statSync(box.path(files.environment)).mode & 0o777).toBe(0o600);
      expect(readableWithSecret(box)).toEqual([]);
      expect(argumentsSeen()).toContain('kagent service install');
      expect(argumentsSeen()).not.toContain(secret);
    },
  );

  test('an installation moves the token out of a definition that an earlier kagent wrote', async () => {
    const { box, script } = watchedBox();
    const args = ['agent', '--url', 'https://10.0.0.1:9345'];
    await box.install(script, args, how);
    const text = box.read(files.definition);
    writeFileSync(box.path(files.definition), text.replaceAll('agent --url', `agent --token ${secret} --url`));
    expect(readableWithSecret(box)).toHaveLength(1);
    expect(await box.install(script, [], how)).toMatchObject({ code: 0 });
    expect(readableWithSecret(box)).toEqual([]);
    expect(box.read(files.definition)).toBe(text);
    expect(box.read(files.environment)).toContain(`KAGENT_TOKEN=${secret}\n`);
  });
});

test('what is said now goes before what the service had, and a file of the token before a token of earlier', async () => {
  const { box, script } = watchedBox();
  const how = { INSTALL_KAGENT_SKIP_START: 'true' };
  const environment = () => box.read(managers.none.environment);
  await box.install(script, ['agent', '--token', 'first'], how);
  await box.install(script, ['agent', '--token', 'second'], { ...how, KAGENT_TOKEN: 'other' });
  expect(environment()).toContain('KAGENT_TOKEN=second\n');
  await box.install(script, [], how);
  expect(environment()).toContain('KAGENT_TOKEN=second\n');
  await box.install(script, ['agent', '--token-file', '/etc/token'], how);
  expect(environment()).not.toContain('KAGENT_TOKEN=');
});

test('the environment file is its owner’s alone, whatever it was before', async () => {
  const { box, script } = watchedBox();
  const how = { INSTALL_KAGENT_SKIP_START: 'true', KAGENT_TOKEN: secret };
  await box.install(script, ['agent'], how);
  chmodSync(box.path(managers.none.environment), 0o644);
  await box.install(script, ['agent'], how);
  expect(statSync(box.path(managers.none.environment)).mode & 0o777).toBe(0o600);
});

test('INSTALL_KAGENT_EXEC is split as a shell would split it, and nothing in it is run', async () => {
  const { box, script } = watchedBox();
  const exec = String.raw`server --node-label 'owner=it is me' --node-label "a=$(touch run)" --kubelet-arg=v\=4`;
  const ran = await box.install(script, [], { INSTALL_KAGENT_SKIP_START: 'true', INSTALL_KAGENT_EXEC: exec });
  expect(ran).toMatchObject({ code: 0 });
  expect(box.read('etc/kagent/kagent.start')).toContain(
    `server --node-label 'owner=it is me' --node-label 'a=$(touch run)' --kubelet-arg=v=4 --daemonize`,
  );
  const open = await box.install(script, [], { INSTALL_KAGENT_EXEC: "server --node-label 'a=b" });
  expect(open).toMatchObject({ code: 1, output: expect.stringContaining('a quote that is not closed') });
});

test('an executable for root is not put where every user can replace it', async () => {
  const { box, script } = watchedBox();
  const shared = box.path('shared');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  const ran = await box.install(script, ['server'], { INSTALL_KAGENT_BIN_DIR: join(shared, 'bin') });
  expect(ran).toMatchObject({ code: 1, output: expect.stringContaining('can be written to by every user') });
  expect(readdirSync(shared)).toEqual([]);
});

/** Its configuration file is a pipe: while the process waits for it, everybody can look at the process. */
test.each([
  ['server', '--token', secret, '--agent-token', `${secret}-too`],
  ['agent', `--token=${secret}`, '--url', 'https://192.0.2.1:9345'],
  ['agent', `-t${secret}`, '--daemonize'],
  ['doctor', '--token', pinned],
])('`kagent %s %s …` runs without the secrets it was given', async (...args) => {
  const config = join(temporaryDir(), 'config.yaml');
  execFileSync('mkfifo', [config]);
  const env = { PATH: process.env['PATH'] };
  const words = [main, ...args, '--config', config];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const ended = new Promise<number | null>((done) => void child.once('close', done));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += String(text)));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const seen = await eventually(() => hiddenCommandLine(child.pid ?? 0), { withinMs: 30_000 });
  expect(seen).not.toMatch(/secret-of-the-cluster|abcdef/);
  expect(statSync(`/proc/${child.pid}/environ`).mode & 0o077).toBe(0);
  writeFileSync(config, 'no-such-setting: true\n');
  expect(await ended).toBe(2); // wrong usage: the configuration, not a flag
  expect(output).toContain("there is no setting 'no-such-setting'");
  expect(output).not.toContain('Warning');
});

function hiddenCommandLine(pid: number): string | undefined {
  const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  return text.includes('[redacted]') ? text : undefined;
}
