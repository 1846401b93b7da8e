import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { AgentConfig } from '../../../../src/agent/config.ts';
import { ServerOnlyConfig } from '../../../../src/server/config.ts';
import { environmentSource, fileSource, loadConfig, type Source } from '../../../../src/shared/config/config.ts';
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
