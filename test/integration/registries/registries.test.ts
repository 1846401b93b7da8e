import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createRegistries } from '../../../src/agent/registries/registries.ts';
import { createEventLog } from '../../../src/shared/events/events.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { freePort } from '../../helpers/etcd-servers.ts';
import { buildGoProgram, goBuildTimeoutMs } from '../../helpers/go.ts';
import { pushImages } from '../../helpers/registry.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'test', alg: 'ES256', use: 'sig' }] };

/** As the distribution project's "Token Authentication Implementation" has it. */
function tokenFor(scope: string): string {
  const [type = '', name = '', actions = ''] = scope.split(':');
  const now = Math.trunc(Date.now() / 1000);
  const claims = {
    iss: 'issuer',
    sub: 'puller',
    aud: 'images',
    nbf: now - 60,
    iat: now,
    exp: now + 300,
    jti: String(now),
    access: [{ type, name, actions: actions.split(',') }],
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ typ: 'JWT', alg: 'ES256', kid: 'test' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** Gives tokens to whoever knows the password. @returns its address, and for which scopes it was asked */
async function tokenServer(password: string) {
  const scopes: string[] = [];
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === `Basic ${Buffer.from(`puller:${password}`).toString('base64')}`;
    const scope = new URL(request.url ?? '', 'http://x').searchParams.get('scope') ?? '';
    scopes.push(scope);
    response.writeHead(isKnown ? 200 : 401).end(isKnown ? JSON.stringify({ token: tokenFor(scope) }) : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, scopes };
}

async function tokenRegistry(dir: string, program: string, realm: string): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(dir, 'jwks.json'), JSON.stringify(jwks));
  const token = {
    realm,
    service: 'images',
    issuer: 'issuer',
    jwks: join(dir, 'jwks.json'),
    signingalgorithms: ['ES256'],
  };
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'images') } },
    http: { addr: address },
    auth: { token },
  };
  writeFileSync(join(dir, 'token.json'), JSON.stringify(config));
  const env = { OTEL_TRACES_EXPORTER: 'none' };
  const registry = spawn(program, ['serve', join(dir, 'token.json')], { stdio: 'ignore', env });
  onTestFinished(async () => {
    const ended = once(registry, 'close');
    if (registry.kill()) await ended;
  });
  await eventually(async () => (await fetch(`http://${address}/v2/`)).status === 401, { what: 'the registry' });
  return address;
}

let program = '';
beforeAll(async () => {
  program = await buildGoProgram({ module: 'test/fixtures/registry' });
}, goBuildTimeoutMs);

test('a registry that wants tokens gives its image to who knows the password, under the name it has there', async () => {
  const dir = temporaryDir();
  await pushImages(dir, program, { 'mirror/one': 'first' });
  const { realm, scopes } = await tokenServer('spring');
  const address = await tokenRegistry(dir, program, realm);
  const path = join(dir, 'registries.yaml');
  const hostsDir = join(dir, 'certs.d');
  const write = (password: string) =>
    writeFileSync(
      path,
      `mirrors: { a.example: { endpoint: ["http://${address}"], rewrite: { "^team/(.*)": "mirror/$1" } } }
configs: { "${address}": { auth: { username: puller, password: ${password} } } }
`,
    );
  write('wrong');
  const options = { path, required: true, hostsDir, disableDefaultEndpoint: false, direct: () => [], log: silentLog };
  const registries = createRegistries({ ...options, events: createEventLog({ keep: 10 }) });
  onTestFinished(() => registries.stop());
  await registries.start(new AbortController().signal);

  /** What containerd would ask by what hosts.toml says now. */
  const manifest = async () => {
    const text = readFileSync(join(hostsDir, 'a.example', 'hosts.toml'), 'utf8');
    const [, url = ''] = /^\[host\."(.*)"\]$/m.exec(text) ?? [];
    const [, header = '', secret = ''] = /header = \{ "(.*?)" = \["(.*?)"\] \}/.exec(text) ?? [];
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    return await fetch(`${url}/team/one/manifests/1?ns=a.example`, { headers: { [header]: secret, accept } });
  };
  expect((await manifest()).status).toBe(401);
  write('spring');
  const found = await eventually(async () => {
    const response = await manifest();
    return response.status === 200 && response;
  });
  expect(await found.json()).toMatchObject({ schemaVersion: 2, layers: [{}] });
  expect(new Set(scopes)).toEqual(new Set(['repository:mirror/one:pull']));
}, 120_000);
