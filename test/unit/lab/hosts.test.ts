import { expect, test } from 'vitest';
import { hostsOf, inEnvironment, kagentCommand, onDisk, server, toType } from '../../../src/lab/hosts.ts';

const lab = { name: 'lab', dir: '/labs/lab', servers: 1, agents: 2, serverFlags: ['--debug'] };

test('a lab has a server and its agents, each with a name and an address', () => {
  expect(hostsOf(lab).map(({ name, role, address }) => `${name} ${role} ${address}`)).toEqual([
    's1 server 10.77.0.11',
    'a1 agent 10.77.0.21',
    'a2 agent 10.77.0.22',
  ]);
});

test('the server has the flags, the agents the address and a token file, never the token itself', () => {
  const [, agent = server] = hostsOf(lab);
  expect(kagentCommand(lab, server).join(' ')).toBe('kagent server --debug --daemonize');
  expect(kagentCommand(lab, agent).join(' ')).toBe(
    'kagent agent --url https://10.77.0.11:9345 --token-file /var/lib/kagent/join-token --daemonize',
  );
});

test('of several servers the first one makes an etcd, and the others join it as servers', () => {
  const three = { ...lab, servers: 3 };
  const hosts = hostsOf(three);
  expect(hosts.map(({ name, address }) => `${name} ${address}`)).toEqual([
    's1 10.77.0.11',
    's2 10.77.0.12',
    's3 10.77.0.13',
    'a1 10.77.0.21',
    'a2 10.77.0.22',
  ]);
  const [first = server, second = server] = hosts;
  expect(kagentCommand(three, first).join(' ')).toBe('kagent server --cluster-init --debug --daemonize');
  expect(kagentCommand(three, second).join(' ')).toBe(
    'kagent server --server https://10.77.0.11:9345 --token-file /var/lib/kagent/join-token --debug --daemonize',
  );
});

test("a file on a host's disk has a place outside", () => {
  expect(onDisk(lab, server, '/var/lib/kagent/server/node-token')).toBe(
    '/labs/lab/s1/disk/var/lib/kagent/server/node-token',
  );
});

test("a command on a host sees the terminal's variables and none of kagent's or kubectl's", () => {
  const env = { TERM: 'xterm', KUBECONFIG: '/root/other', KAGENT_TOKEN: 'secret', PATH: '/odd' };
  const words = inEnvironment(['kubectl', 'get', 'nodes'], env);
  expect(words.slice(0, 2)).toEqual(['env', '-i']);
  expect(words).toContain('TERM=xterm');
  expect(words.join(' ')).not.toMatch(/KUBECONFIG|KAGENT|odd/);
  expect(words.slice(-3)).toEqual(['kubectl', 'get', 'nodes']);
});

test('what is shown to type names the lab, unless it has the usual name', () => {
  expect(toType('lab', 'down')).toBe('kagent lab down');
  expect(toType('other', 'down')).toBe('kagent lab down --name other');
});
