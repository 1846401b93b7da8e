import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { AgentConfig } from '../../../../src/agent/config.ts';
import { ServerOnlyConfig } from '../../../../src/server/config.ts';
import { environmentSource, fileSource, loadConfig } from '../../../../src/shared/config/config.ts';
import type { Source } from '../../../../src/shared/config/config.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const Config = z.strictObject({
  nodeName: z.string().default('box').describe('Name'),
  port: z.int().min(1).default(6443).describe('Port'),
  tlsSan: z.array(z.string()).default([]).describe('Names'),
  disableAgent: z.boolean().default(false).describe('No node'),
});
const flags = (values: Record<string, unknown>): Source =>
  new Map(Object.entries(values).map(([name, value]) => [name, { value, origin: `--${name}` }]));

function file(text: string, dropIns: Record<string, string> = {}): Source {
  const path = join(temporaryDir(), 'config.yaml');
  writeFileSync(path, text);
  mkdirSync(`${path}.d`);
  for (const [name, content] of Object.entries(dropIns)) writeFileSync(join(`${path}.d`, name), content);
  return fileSource({ schema: Config, known: [Config], path, required: true });
}

test('a flag beats the environment, the environment the file, the file the default', () => {
  const sources = [
    file('node-name: from-file\nport: 1\ntls-san: [file.example]\n'),
    environmentSource(Config, { KAGENT_NODE_NAME: 'from-environment', KAGENT_PORT: '2' }),
    flags({ nodeName: 'from-flag' }),
  ];
  const { config, origins } = loadConfig(Config, sources);
  expect(config).toEqual({ nodeName: 'from-flag', port: 2, tlsSan: ['file.example'], disableAgent: false });
  expect(origins.get('port')).toBe('KAGENT_PORT');
  expect(origins.get('tlsSan')).toMatch(/config\.yaml line 3$/);
});

test('files of config.yaml.d follow in order; key+ appends, key replaces', () => {
  const source = file('tls-san: a.example\nnode-name: one\n', {
    '20-more.yaml': 'tls-san+: [c.example]\n',
    '10-first.yaml': 'tls-san+: [b.example]\nnode-name: two\n',
  });
  expect(loadConfig(Config, [source]).config).toMatchObject({
    tlsSan: ['a.example', 'b.example', 'c.example'],
    nodeName: 'two',
  });
});

test('a typo in the file is named with its line and the nearest key', () => {
  expect(() => file('port: 1\n\nnode-nmae: x\n')).toThrow(
    /config\.yaml line 3: there is no setting 'node-nmae'; did you mean 'node-name'\?/,
  );
});

test('a broken file is named with its line', () => {
  expect(() => file('port: 1\nnode-name: "x\n')).toThrow(/config\.yaml line [23]/);
  expect(() => file('- port\n')).toThrow(/line 1: it is not a list of `key: value` lines/);
});

test('a wrong value is named with the place where it was said', () => {
  expect(() => loadConfig(Config, [environmentSource(Config, { KAGENT_PORT: 'http' })])).toThrow(
    /^port is "http" \(KAGENT_PORT\)/,
  );
});

test('a comma separates names, but belongs to an argument of a component', () => {
  const server = loadConfig(ServerOnlyConfig, [
    environmentSource(ServerOnlyConfig, { KAGENT_TLS_SAN: 'a.example,b.example' }),
  ]);
  expect(server.config.tlsSan).toEqual(['a.example', 'b.example']);
  const argument = 'eviction-hard=imagefs.available<5%,nodefs.available<5%';
  const agent = loadConfig(AgentConfig, [environmentSource(AgentConfig, { KAGENT_KUBELET_ARG: argument })]);
  expect(agent.config.kubeletArg).toEqual([argument]);
});

test('every setting says what it is', () => {
  for (const schema of [ServerOnlyConfig, AgentConfig]) {
    const silent = Object.entries(schema.shape).filter(([, type]) => !/^\p{L}/u.test(type.description ?? ''));
    expect(silent.map(([name]) => name)).toEqual([]);
  }
});

test.each(['00112233445566', '1e10', '0x1F', '3.10', '0o640', '2024-01-01', 'True', 'pässwörd'])(
  '%s for a text is that text, with quotes and without, in a file, a variable and a flag',
  (text) => {
    const sources = [
      file(`node-name: ${text}\n`),
      file(`node-name: "${text}"\n`),
      environmentSource(Config, { KAGENT_NODE_NAME: text }),
      flags({ nodeName: text }),
    ];
    for (const source of sources) expect(loadConfig(Config, [source]).config.nodeName).toBe(text);
  },
);

test('numbers and switches in a file are what they were', () => {
  const load = (text: string) => loadConfig(Config, [file(text)]).config;
  expect(load('port: 0x50\ndisable-agent: True\n')).toMatchObject({ port: 80, disableAgent: true });
  expect(() => load('port: many\n')).toThrow(/port is "many"/);
  expect(() => load('disable-agent: maybe\n')).toThrow(/disable-agent is "maybe"/);
});

test.each([
  'tls-san: ["a.example, b.example"]',
  'tls-san: "a.example,b.example"',
  'tls-san: [" a.example ", "", "b.example,", ~]',
  'tls-san:\n  - a.example\ntls-san+: b.example',
])('%j is a list of two, as in a flag and a variable', (text) => {
  const expected = { tlsSan: ['a.example', 'b.example'] };
  const sources = [
    file(`${text}\n`),
    environmentSource(Config, { KAGENT_TLS_SAN: 'a.example, b.example,' }),
    flags({ tlsSan: ['a.example', ' b.example,'] }),
  ];
  for (const source of sources) expect(loadConfig(Config, [source]).config).toMatchObject(expected);
});

test('a list of nothing is empty', () => {
  for (const text of ['tls-san:', 'tls-san: ""', 'tls-san: [","]']) {
    expect(loadConfig(Config, [file(`${text}\n`)]).config.tlsSan).toEqual([]);
  }
});

test.each([
  [
    'tlsSan',
    'https://k.example.com:6443',
    /tls-san is "https:\/\/k.example.com:6443" \(--x\): each must be a name or an address.*write/,
  ],
  ['tlsSan', '10.0.0.300', /tls-san is "10.0.0.300"/],
  ['tlsSan', 'a b.example', /tls-san is "a b.example"/],
])('in a list of %s, %s is named with what it must be', (name, wrong, said) => {
  const source: Source = new Map([
    [name, { value: ['k.example.com', '*.example.com', '2001:db8::1', wrong], origin: '--x' }],
  ]);
  expect(() => loadConfig(ServerOnlyConfig, [source])).toThrow(said);
});

test.each([
  ['nodeExternalDns', 'n.example.com', 'https://n.example.com', /node-external-dns is "https/],
  ['nodeExternalIp', '203.0.113.5', '203.0.113.5/24', /node-external-ip is "203.0.113.5\/24"/],
  ['nodeLabel', 'example.com/tier=web', 'tier=a b', /node-label is "tier=a b".*key=value/],
  ['nodeLabel', 'tier=', '-tier=web', /node-label is "-tier=web"/],
  ['nodeTaint', 'tier=web:NoSchedule', 'tier=a/b:NoSchedule', /node-taint is "tier=a\/b:NoSchedule"/],
  ['nodeTaint', 'tier:NoExecute', 'tier=web:Never', /node-taint is "tier=web:Never"/],
])('%s takes %s and refuses %s by name', (name, right, wrong, said) => {
  const source = (...value: readonly string[]): Source => new Map([[name, { value, origin: '--x' }]]);
  expect(loadConfig(AgentConfig, [source(` ${right}`)]).config).toMatchObject({ [name]: [right] });
  expect(() => loadConfig(AgentConfig, [source(right, wrong)])).toThrow(said);
});
