import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createRegistries } from '../../../../src/agent/registries/registries.ts';
import { createEventLog } from '../../../../src/shared/events/events.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

/** A node's file and containerd's folder; nothing is started. */
function box() {
  const dir = temporaryDir();
  const path = join(dir, 'registries.yaml');
  const hostsDir = join(dir, 'certs.d');
  const events = createEventLog({ keep: 10 });
  const registries = createRegistries({
    path,
    required: false,
    hostsDir,
    disableDefaultEndpoint: false,
    direct: () => [],
    log: silentLog,
    events,
  });
  onTestFinished(() => registries.stop());
  return {
    registries,
    events,
    folder: dir,
    file: path,
    write: (text: string) => writeFileSync(path, text),
    remove: () => rmSync(path, { recursive: true }),
    path: (registry: string) => join(hostsDir, registry, 'hosts.toml'),
    hosts: (registry: string) => readFileSync(join(hostsDir, registry, 'hosts.toml'), 'utf8'),
    start: () => registries.start(new AbortController().signal),
  };
}

const mirror = (host: string) => `mirrors: { a.example: { endpoint: ["https://${host}"] } }\n`;

test('a changed file is reloaded while it runs, a file that is removed takes its mirrors along', async () => {
  const { start, write, remove, hosts, path } = box();
  write(mirror('one.example'));
  await start();
  expect(hosts('a.example')).toContain('one.example');
  expect(statSync(path('a.example')).mode & 0o777).toBe(0o600);
  write(mirror('two.example'));
  await eventually(() => hosts('a.example').includes('two.example'), { what: 'the new mirror' });
  remove();
  await eventually(() => !existsSync(path('a.example')), { what: 'the end of the mirror' });
}, 15_000); // two looks at the file, of which each may be four seconds away

test('an unsound change is an event with its line; what was sound stays in use, and a sound one comes through', async () => {
  const { start, write, hosts, events, registries } = box();
  write(mirror('one.example'));
  await start();
  write('mirrors:\n  a.example: { endpoints: [] }\n');
  const event = await eventually(() => events.recent(1)[0], { what: 'the event' });
  expect(event).toMatchObject({ type: 'Warning', reason: 'RegistriesNotTakenUp', regarding: 'registries.yaml' });
  expect(event.message).toMatch(
    /line 2: mirrors\.a\.example\.endpoints: there is no such key; did you mean 'endpoint'/,
  );
  expect(registries.health()).toMatchObject({ status: 'False', reason: 'NotApplied' });
  expect(hosts('a.example')).toContain('one.example');
  write(mirror('two.example'));
  await eventually(() => registries.health().status === 'True', { what: 'the sound file' });
  expect(events.recent(10)).toHaveLength(1);
}, 15_000);

test('a start with an unsound file fails', async () => {
  const { start, write } = box();
  write('mirror: {}\n');
  await expect(start()).rejects.toMatchObject({ code: 'CONFIG_REGISTRIES_INVALID' });
});

test('certificates that are none are a warning with the file’s name, and end no start', async () => {
  const { start, write, hosts, events, folder } = box();
  writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n');
  const config = (name: string, ca: string) =>
    `  ${name}: { auth: { username: u, password: p }, tls: { ca_file: ${ca} } }\n`;
  write(`configs:\n${config('one.example', join(folder, 'ca.pem'))}${config('two.example', folder)}`);
  await start();
  expect(hosts('one.example')).toContain('x-kagent-relay');
  expect(events.recent(10).map(({ message }) => message)).toEqual([
    expect.stringContaining(`one.example: the certificates in ${folder}/ca.pem cannot be used: `),
    expect.stringContaining(`two.example: the certificates in ${folder} cannot be used: EISDIR`),
  ]);
});

test(
  'a registries.yaml that becomes a link to itself, or a folder, changes nothing and ends nothing',
  { timeout: 30_000 },
  async () => {
    const { start, write, remove, hosts, events, file } = box();
    write(mirror('one.example'));
    await start();
    remove();
    symlinkSync(file, file);
    const event = await eventually(() => events.recent(1)[0], { what: 'the event' });
    expect(event.message).toContain('cannot be read (ELOOP)');
    remove();
    mkdirSync(file);
    await eventually(() => events.recent(1)[0]?.message.includes('EISDIR'), { what: 'the second event' });
    expect(hosts('a.example')).toContain('one.example');
  },
);

test('what others have put into containerd’s folder stays', async () => {
  const { start, write, hosts, path } = box();
  for (const name of ['a.example', 'b.example']) {
    mkdirSync(join(path(name), '..'), { recursive: true });
    writeFileSync(path(name), 'server = "https://mine"\n');
  }
  write(mirror('one.example'));
  await start();
  expect(hosts('a.example')).toBe('server = "https://mine"\n');
  expect(hosts('b.example')).toBe('server = "https://mine"\n');
});

test('what others have put there that is no file stays too', async () => {
  const { start, write, path } = box();
  mkdirSync(path('a.example'), { recursive: true });
  mkdirSync(dirname(path('b.example')), { recursive: true });
  symlinkSync('hosts.toml', path('b.example'));
  write(mirror('one.example'));
  await start();
  expect(lstatSync(path('a.example')).isDirectory()).toBe(true);
  expect(lstatSync(path('b.example')).isSymbolicLink()).toBe(true);
});

test('a password is in no file of containerd’s; the relay’s secret is another one at each start', async () => {
  const secretOf = async () => {
    const { start, write, hosts } = box();
    write(`${mirror('one.example')}configs: { one.example: { auth: { username: u, password: hunter2 } } }\n`);
    await start();
    expect(hosts('a.example')).not.toContain('hunter2');
    return /"x-kagent-relay" = \["(.{32})"\]/.exec(hosts('a.example'))?.[1];
  };
  const [one, two] = [await secretOf(), await secretOf()];
  expect(one).toBeDefined();
  expect(one).not.toBe(two);
});
