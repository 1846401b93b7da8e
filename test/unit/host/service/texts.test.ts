import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandIn } from '../../../../src/host/service/definition.ts';
import {
  createServiceManager,
  dataDirOf,
  saidDataDir,
  detectServiceManager,
  hostAt,
  installService,
  installedServices,
} from '../../../../src/host/service/service.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const args = ['server', '--node-label', "owner=it's me", '--kubelet-arg=v=4', '--token', '50%$'];

function textOf(kind: 'systemd' | 'openrc' | 'none', executable = '/usr/local/bin/kagent'): string {
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const manager = createServiceManager(kind, { host: hostAt('/'), readiness });
  return manager.text({ name: 'kagent', executable, args });
}

describe.each(['systemd', 'openrc', 'none'] as const)('the text for %s', (kind) => {
  test('says whose it is and gives its command back', () => {
    expect(commandIn(textOf(kind))).toEqual({ executable: '/usr/local/bin/kagent', args });
  });
});

describe.each(['systemd', 'openrc', 'none'] as const)('for %s', (kind) => {
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const text = (definition: { readonly name?: string; readonly args?: readonly string[] }) =>
    createServiceManager(kind, { host: hostAt('/'), readiness }).text({
      name: 'kagent',
      executable: '/usr/local/bin/kagent',
      args: ['server'],
      ...definition,
    });

  test.each(['\n', '\r', '\0', '\u001b'])('an argument with the character %j gets no line of its own', (character) => {
    const args = ['server', `--node-name=a${character}touch /tmp/owned`];
    expect(() => text({ args })).toThrow(/a line break or another control character.*use config.yaml/);
  });

  test.each(['../../tmp/x', 'a/b', '', '.hidden', 'a b', 'a\nb', '%n', "a'b", '-x'])('%j is no name', (name) => {
    expect(() => text({ name })).toThrow(`${JSON.stringify(name)} is no name of a service`);
  });
});

test('an installation under a name that leads elsewhere writes nothing', async () => {
  const root = temporaryDir();
  const host = hostAt(root);
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const installation = {
    host,
    manager: createServiceManager('none', { host, readiness }),
    name: '../../outside',
    executable: '/bin/kagent',
    args: ['server'],
    env: {},
    skipEnable: true,
    skipStart: true,
    forceRestart: false,
    timeoutMs: 1000,
    made: [],
    readiness,
    secretFlags: [],
    print: () => {},
  };
  await expect(installService(installation, new AbortController().signal)).rejects.toThrow(/is no name of a service/);
  expect(readdirSync(root)).toEqual([]);
});

test("somebody else's unit has no command of ours", () => {
  expect(commandIn('[Service]\nExecStart=/usr/bin/other\n')).toBeUndefined();
});

test('the unit tells systemd all that Kubernetes below it needs', () => {
  const text = textOf('systemd');
  for (const line of [
    'Type=notify',
    'NotifyAccess=all',
    'Delegate=yes',
    'KillMode=process',
    'LimitNOFILE=1048576',
    'TasksMax=infinity',
    'Restart=always',
    'RestartSec=5s',
    'After=network-online.target',
    'Environment=MALLOC_TRIM_THRESHOLD_=131072', // freed memory goes back to the system
    'EnvironmentFile=-/etc/systemd/system/kagent.service.env',
    `ExecStart=/usr/local/bin/kagent server --node-label "owner=it's me" --kubelet-arg=v=4 --token 50%%$$`,
  ]) {
    expect(text.split('\n')).toContain(line);
  }
});

test('the OpenRC script is a sound shell script whose arguments survive its eval', () => {
  const text = textOf('openrc');
  const path = join(temporaryDir(), 'kagent');
  writeFileSync(path, text);
  expect(spawnSync('sh', ['-n', path], { encoding: 'utf8' }).stderr).toBe('');
  // As openrc-run does: the script is read, then the words are put together by eval.
  const script = `. ${path}; eval "printf '%s\\n' $command $command_args"`;
  const words = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
  expect(words).toEqual(['/usr/local/bin/kagent', ...args]);
  expect(text).toContain('supervisor="supervise-daemon"');
  const inherited = execFileSync('sh', ['-c', `. ${path}; env`], { encoding: 'utf8' });
  expect(inherited).toContain('MALLOC_TRIM_THRESHOLD_=131072');
});

test('the start script passes its arguments on, with --daemonize, and works in the bare environment of a boot', () => {
  const dir = temporaryDir();
  const fake = join(dir, 'kagent');
  writeFileSync(fake, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  const path = join(dir, 'kagent.start');
  writeFileSync(path, textOf('none', fake));
  const said = execFileSync('/bin/sh', [path], { encoding: 'utf8', env: {} });
  expect(said.trimEnd().split('\n')).toEqual([...args, '--daemonize']);
});

test('what was booted decides, not what is installed', () => {
  const dir = temporaryDir();
  expect(detectServiceManager(hostAt(dir))).toBe('none');
  mkdirSync(join(dir, 'run/openrc'), { recursive: true });
  writeFileSync(join(dir, 'run/openrc/softlevel'), 'default\n');
  expect(detectServiceManager(hostAt(dir))).toBe('openrc');
  mkdirSync(join(dir, 'run/systemd/system'), { recursive: true });
  expect(detectServiceManager(hostAt(dir))).toBe('systemd');
});

test.each([
  [['server', '--data-dir', '/a b'], '', '/a b'],
  [['server', '--data-dir=/a'], '', '/a'],
  [['server'], "KAGENT_TOKEN=x\nKAGENT_DATA_DIR='/a b'\n", '/a b'],
  [['server', '-d', '/a'], "KAGENT_DATA_DIR='/b'\n", '/a'],
  [['agent'], '', '/from/file'],
])('a service with %j and the environment %j has its data in %s', (words, environment, expected) => {
  const root = temporaryDir();
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const manager = createServiceManager('none', { host: hostAt(root), readiness });
  mkdirSync(join(root, 'etc/kagent'), { recursive: true });
  const files = manager.files('kagent-mine');
  writeFileSync(files.definition, manager.text({ name: 'kagent-mine', executable: '/bin/kagent', args: words }));
  writeFileSync(files.environment, environment);
  writeFileSync(join(root, 'etc/kagent/other.start'), '#!/bin/sh\n');
  writeFileSync(join(root, 'etc/kagent/config.yaml'), 'token: x\ndata-dir: /from/file\n');
  const [service, ...more] = installedServices([manager]);
  expect(more).toEqual([]);
  expect(service).toMatchObject({ name: 'kagent-mine', executable: '/bin/kagent', args: words });
  expect(service && dataDirOf(service, hostAt(root))).toBe(expected);
});

test('what was told nothing has its data in the usual place, also with a config.yaml that cannot be read', () => {
  const root = temporaryDir();
  const said = { args: ['server'], environment: {}, host: hostAt(root) };
  expect(saidDataDir(said)).toBe(join(root, 'var/lib/kagent'));
  mkdirSync(join(root, 'etc/kagent'), { recursive: true });
  writeFileSync(join(root, 'etc/kagent/config.yaml'), '{ data-dir: [');
  expect(saidDataDir(said)).toBe(join(root, 'var/lib/kagent'));
});
