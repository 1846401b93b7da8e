import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { registriesOf } from '../../../../src/agent/registries/endpoints.ts';
import { readRegistries } from '../../../../src/agent/registries/file.ts';
import { hostsFile, hostsFileHead } from '../../../../src/agent/registries/hosts-file.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

/** Every `hosts.toml`, by registry, of a registries.yaml in which nothing needs a relay. */
async function hostsFiles(text: string, disableDefaultEndpoint = false): Promise<Readonly<Record<string, string>>> {
  const dir = temporaryDir();
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(dir, name), '');
  const path = join(dir, 'registries.yaml');
  writeFileSync(path, text.replaceAll('DIR', dir));
  const registries = registriesOf(await readRegistries(path, { required: true }), disableDefaultEndpoint);
  const written = registries.map((one) => [one.name, hostsFile(one, () => undefined).replaceAll(dir, 'DIR')]);
  return Object.fromEntries(written) as Record<string, string>;
}

test('mirrors are asked in turn, then the registry itself', async () => {
  const files = await hostsFiles(`mirrors:
  docker.io:
    endpoint: [https://one.example.com, "two.example.com:5000", "http://three.example.com/v2/docker/"]
configs:
  two.example.com:5000:
    tls: { ca_file: DIR/ca, cert_file: DIR/cert, key_file: DIR/key }
`);
  expect(files['docker.io']).toBe(`${hostsFileHead}
server = "https://registry-1.docker.io/v2"

[host."https://one.example.com/v2"]
  capabilities = ["pull", "resolve"]

[host."https://two.example.com:5000/v2"]
  capabilities = ["pull", "resolve"]
  ca = "DIR/ca"
  client = [["DIR/cert", "DIR/key"]]

[host."http://three.example.com/v2/docker"]
  capabilities = ["pull", "resolve"]
  override_path = true
`);
  expect(files['two.example.com:5000']).toContain('server = "https://two.example.com:5000/v2"\nca = "DIR/ca"');
});

test('a star is for every registry without an entry of its own', async () => {
  const files = await hostsFiles(
    'mirrors: { "*": { endpoint: [https://m] } }\nconfigs: { "*": { tls: { insecure_skip_verify: true } } }',
  );
  expect(files['*']).toBe(`${hostsFileHead}
skip_verify = true

[host."https://m/v2"]
  capabilities = ["pull", "resolve"]
  skip_verify = true
`);
});

test.each([
  ['localhost:5000', 'http://localhost:5000/v2'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000/v2'],
  ['localhost', 'https://localhost/v2'],
  ['localhost.example.com:5000', 'https://localhost.example.com:5000/v2'],
])('%s without a scheme is %s', async (endpoint, url) => {
  const { a } = await hostsFiles(`mirrors: { a: { endpoint: ["${endpoint}"] } }`);
  expect(a).toContain(`[host."${url}"]`);
});

test('where the registry itself may not be asked, the last mirror is the last', async () => {
  const text = 'mirrors: { a.example: { endpoint: [https://one, https://two] } }\n';
  const [file = ''] = Object.values(await hostsFiles(text, true));
  expect(file).not.toContain('a.example');
  expect(file).toContain('server = "https://two/v2"\n\n[host."https://one/v2"]');
});

test('a registry that is named as its own last mirror is asked once', async () => {
  const text = 'mirrors: { docker.io: { endpoint: [https://m, https://docker.io] } }';
  const { 'docker.io': file } = await hostsFiles(text);
  expect(file?.match(/registry-1/g)).toHaveLength(1);
});
