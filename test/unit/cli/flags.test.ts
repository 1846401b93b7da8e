import { Command } from 'commander';
import { expect, test } from 'vitest';
import { AgentConfig } from '../../../src/agent/config.ts';
import { addSettings, flagSource } from '../../../src/cli/flags.ts';

const saidBy = (...args: readonly string[]) => {
  const command = addSettings(new Command('agent').exitOverride(), AgentConfig).parse([...args], { from: 'user' });
  return Object.fromEntries([...flagSource(command, AgentConfig)].map(([name, { value }]) => [name, value]));
};

test("k3s's letters say what they say there", () => {
  expect(saidBy('-s', 'https://a', '-t', 'K10', '-d', '/data', '-i', '10.0.0.1')).toEqual({
    server: 'https://a',
    token: 'K10',
    dataDir: '/data',
    nodeIp: '10.0.0.1',
  });
});

test('a list may be said several times, and with commas; a switch needs no value', () => {
  expect(saidBy('--node-label', 'a=1,b=2', '--node-label', 'c=3', '--with-node-id', '--kubelet-arg', 'x=1,2')).toEqual({
    nodeLabel: ['a=1', 'b=2', 'c=3'],
    withNodeId: 'true',
    kubeletArg: ['x=1,2'],
  });
});

test('the few values a setting may have are shown; it is the schema that refuses others, in its words', () => {
  const command = addSettings(new Command('agent'), AgentConfig);
  expect(command.helpInformation()).toMatch(
    /--log-level <value>[^]*?\(choices:\s+"debug",\s+"info",\s+"warn",\s+"error"\)/,
  );
  expect(saidBy('--log-level', 'loud')).toEqual({ logLevel: 'loud' });
});
