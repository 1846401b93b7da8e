import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRegistries } from '../../../../src/agent/registries/file.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function read(text: string) {
  const path = join(temporaryDir(), 'registries.yaml');
  writeFileSync(path, text);
  return await readRegistries(path, { required: true });
}

test('the examples of k3s are read as they are', async () => {
  const { mirrors, configs } = await read(`
mirrors:
  docker.io:
    endpoint:
      - "https://registry.example.com:5000"
    rewrite:
      "^rancher/(.*)": "mirrorproject/rancher-images/$1"
  registry.example.com:
  "*":
    endpoint: ["https://registry.example.com:5000"]
configs:
  "registry.example.com:5000":
    auth:
      username: xxxxxx # this is the registry username
      password: xxxxxx # this is the registry password
    tls:
      insecure_skip_verify: true
`);
  expect([...mirrors.keys()]).toEqual(['docker.io', 'registry.example.com', '*']);
  const [rewrite] = mirrors.get('docker.io')?.rewrites ?? [];
  expect(rewrite?.apply('rancher/k3s')).toBe('mirrorproject/rancher-images/k3s');
  expect(configs.get('registry.example.com:5000')).toMatchObject({
    credentials: { kind: 'password', username: 'xxxxxx' },
    tls: { skipVerify: true },
  });
});

test.each([
  ['auth: { username: u, password: 007 }', 'u', '007'],
  ['auth: { username: u, password: true }', 'u', 'true'],
  [`auth: { auth: ${Buffer.from('u:p:q').toString('base64')} }`, 'u', 'p:q'],
])('a password is what is written: %s', async (auth, username, password) => {
  const credentials = (await read(`configs:\n  a:\n    ${auth}\n`)).configs.get('a')?.credentials;
  expect(credentials).toMatchObject({ kind: 'password', username });
  expect(credentials?.kind === 'password' && credentials.password.reveal()).toBe(password);
});

test('an identity token goes before a password', async () => {
  const { configs } = await read('configs: { a: { auth: { username: u, identity_token: t } } }');
  const { credentials } = configs.get('a') ?? {};
  expect(credentials?.kind === 'identity-token' && credentials.token.reveal()).toBe('t');
});

test('rewrites are Go’s, in the order of the file', async () => {
  const { mirrors } = await read('mirrors: { a: { rewrite: { "(?i)^B(.*)": "x/${1}y", "(.*)": "z/$0" } } }');
  expect(mirrors.get('a')?.rewrites.map((rewrite) => rewrite.apply('bc'))).toEqual(['x/cy', 'z/bc']);
});

test.each([
  [
    'mirrors:\n  a:\n    endpoints: []\n',
    /line 3: mirrors\.a\.endpoints: there is no such key; did you mean 'endpoint'\?/,
  ],
  ['mirrors:\n  a:\n    endpoint:\n    - "http://"\n', /line 4: mirrors\.a\.endpoint\.0: it must be an address/],
  [
    'mirrors:\n  a:\n    rewrite:\n      "(": x\n',
    /line 4: mirrors\.a\.rewrite\.\(: it is not a regular expression of Go's, which k3s takes: missing closing \)/,
  ],
  ['mirrors:\n  a:\n    rewrite:\n      "a(?=b)": x\n', /line 4: .*invalid or unsupported Perl syntax: `\(\?=`/],
  ['mirrors:\n  "a b":\n    endpoint: []\n', /line 2: mirrors\.a b: it must be a registry such as/],
  [
    'configs:\n  a:\n    tls:\n      ca_file: /not/there\n',
    /line 4: configs\.a\.tls\.ca_file: \/not\/there cannot be read/,
  ],
  ['configs:\n  a:\n    tls:\n      insecure_skip_verify: maybe\n', /line 4: .*it must be true or false/],
  ['configs:\n  a:\n    auth: { auth: "bm9wZQ==" }\n', /line 3: configs\.a\.auth\.auth: it must be the base64 form/],
  ['configs: [\n', /registries\.yaml line \d/],
])('what cannot be is named with its line: %j', async (text, said) => {
  await expect(read(text)).rejects.toThrow(said);
});

test('no message has a password', async () => {
  await expect(read('configs: { a: { auth: { auth: hunter2 } } }')).rejects.toThrow(
    expect.not.stringContaining('hunter2'),
  );
});

test('an empty file, and none, say nothing', async () => {
  expect((await read('')).mirrors.size).toBe(0);
  expect((await readRegistries('/not/there.yaml', { required: false })).configs.size).toBe(0);
  await expect(readRegistries('/not/there.yaml', { required: true })).rejects.toThrow('cannot be read');
});
