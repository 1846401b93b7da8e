import { parse, stringify } from 'yaml';
import { expect, test } from 'vitest';
import { cpuTimeMs } from '../../helpers/cpu-time.ts';
import { createRedactor, redactData, redactEnvironment } from '../../../src/support/redact.ts';

test('of settings the secrets go, wherever they stand; names of files stay', () => {
  const { value, secrets } = redactData(
    parse(`
token: abcdef
agent-token: 12345
token-file: /etc/kagent/token
etcd-arg+: [quota-backend-bytes=5]
kube-apiserver-arg:
- oidc-client-secret=s3cret
- oidc-client-id=web
configs:
  registry.example.com:
    auth: {username: somebody, password: "p w", auth: bWU6cHc=, identity_token: idt}
    tls: {key_file: /etc/key.pem, insecure_skip_verify: true}
`),
  );
  expect(secrets).toEqual(['abcdef', '12345', 's3cret', 'somebody', 'p w', 'bWU6cHc=', 'idt']);
  expect(value).toMatchObject({
    'token-file': '/etc/kagent/token',
    'etcd-arg+': ['quota-backend-bytes=5'],
    'kube-apiserver-arg': ['oidc-client-secret=[redacted]', 'oidc-client-id=web'],
    configs: { 'registry.example.com': { tls: { key_file: '/etc/key.pem', insecure_skip_verify: true } } },
  });
  for (const secret of secrets) expect(stringify(value)).not.toContain(secret);
});

test('of an environment file the values of secrets go', () => {
  const { text, secrets } = redactEnvironment(
    `KAGENT_TOKEN='se cret'\nKAGENT_NODE_NAME=box\nexport MY_PASSWORD=pw\nKAGENT_TOKEN_FILE=/x\n`,
  );
  expect(text).toBe('KAGENT_TOKEN=[redacted]\nKAGENT_NODE_NAME=box\nMY_PASSWORD=[redacted]\nKAGENT_TOKEN_FILE=/x\n');
  expect(secrets).toEqual(['se cret', 'pw']);
});

test('a secret that is known goes from every text, in base64 too, and so does the end of a token', () => {
  const redactor = createRedactor([`K10${'a'.repeat(64)}::server:hunter22`, 'correct horse']);
  const base64 = Buffer.from('correct horse').toString('base64');
  expect(redactor.clean(`say correct horse (${base64}) to hunter22`)).toBe('say [redacted] ([redacted]) to [redacted]');
});

const key = `-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\nabc==\n-----END EC PRIVATE KEY-----`;
test.each([
  ['a private key', `before\n${key}\nafter`, /^before\n\[redacted\]\nafter$/],
  ['half of one', `before\n${key.slice(0, 40)}`, /^before\n\[redacted\]$/],
  ['a join token', `K10${'0'.repeat(64)}::node:secret!`, /^\[redacted\]$/],
  ['a bootstrap token', 'token abcdef.0123456789abcdef used', /^token \[redacted\] used$/],
  ['a service account token', 'got eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJlcm5l.abc_-', /^got \[redacted\]$/],
  ['one in a file name', 'x-eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJlcm5l.abc_- y', /^x-\[redacted\] y$/],
  [
    'one after another',
    'eyJhbGciOiJSUzI1.eyJpc3MiOiJr.a eyJhbGciOiJSUzI1.eyJpc3MiOiJr.b',
    /^\[redacted\] \[redacted\]$/,
  ],
  ['a long flag', 'x --my-very-own-client-secret=abc', /^x --my-very-own-client-secret=\[redacted\]$/],
  ['a key with dots', 'spring.datasource.password = abc', /^spring\.datasource\.password = \[redacted\]$/],
  ['a header', 'Authorization: Bearer abcdefghijkl', /^Authorization: \[redacted\]/],
  ['a password in an address', 'https://me:pass@proxy:3128/x', /^https:\/\/me:\[redacted\]@proxy:3128\/x$/],
  ['a flag', 'kagent agent --token abc --url https://x', /^kagent agent --token \[redacted\] --url https:\/\/x$/],
  ['a quoted flag', '"--token" "abc" "--url"', /^"--token" "\[redacted\]" "--url"$/],
  ['a key in a kubeconfig', 'client-key-data: LS0tLS1CRUdJTg==', /^client-key-data: \[redacted\]$/],
  ['JSON', '{"password":"abc","user":"me"}', /^\{"password":"\[redacted\]","user":"me"\}$/],
])('%s goes also where nobody knew of it', (_name, text, expected) => {
  expect(createRedactor([]).clean(text)).toMatch(expected);
});

test('what is no secret stays readable', () => {
  const line = 'I1121 13:52:01 mounted secret "kube-system/web" token-file=/etc/x --token-file /etc/y took 5 s';
  expect(createRedactor(['ab']).clean(line)).toBe(line);
});

/** What a pod could write into a log, so that whoever asks for help waits for ever. */
test.each([
  '-',
  '-e',
  '-eyJ',
  'eyJ',
  'a-',
  'a.',
  'eyJaaaaaaaaaaaaa.',
  '--token',
  '--token ',
  'password',
  'password ',
  'secret=',
  'secret="',
  'key-data ',
  'Bearer ',
  'Bearer  ',
  '-----BEGIN ',
  '-----BEGIN A PRIVATE KEY-----',
  '-----END A',
  '//a:',
  '/',
  'K10',
  ' ',
  '\n',
  'abcdef.',
])('four megabytes of %j are cleaned in no time', async (unit) => {
  const text = unit.repeat((4 * 1024 * 1024) / unit.length);
  const tookMs = await cpuTimeMs(() => {
    createRedactor(['correct horse']).clean(text);
    redactEnvironment(text);
    redactData({ text });
  });
  expect(tookMs).toBeLessThan(5000);
});
