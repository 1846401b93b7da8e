import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { AgentConfig } from '../../../../src/agent/config.ts';
import { untilKeptIsBack, wantedAddress } from '../../../../src/agent/membership/membership.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const config = AgentConfig.parse({});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

test('a node that has joined knows the address it has had, and one that was removed knows none', async () => {
  const paths = pathsOf(temporaryDir());
  const kept = async () => (await wantedAddress({ config, paths, runsNode: true })).kept;
  expect(await kept()).toBeUndefined();
  const settings = { clusterCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16', clusterDns: '10.43.0.10' };
  const joined = {
    url: 'https://10.0.0.1:9345',
    addresses: ['10.0.0.5', '203.0.113.1'],
    apiserverUrls: [],
    supervisorUrls: [],
    settings: { ...settings, clusterDomain: 'cluster.local', flannelBackend: 'vxlan' },
  };
  write(paths.agent.identity, JSON.stringify({ nodeName: 'a1', password: 'p', joined }));
  expect(await kept()).toBe('10.0.0.5');
  write(paths.agent.identity, JSON.stringify({ nodeName: 'a1', password: 'p' }));
  expect(await kept()).toBeUndefined();
});

test('a server that runs no node has a file for it', async () => {
  const paths = pathsOf(temporaryDir());
  write(paths.server.address, '10.0.0.9\n');
  expect((await wantedAddress({ config, paths, runsNode: false })).kept).toBe('10.0.0.9');
});

test.each([
  ['https://192.168.56.11:9345', '192.168.56.11'],
  ['https://localhost:9345', '127.0.0.1'],
  ['https://nobody.invalid', undefined],
  ['http://not-usable', undefined],
])('the server of %s is at %s', async (serverUrl, serverIp) => {
  const paths = pathsOf(temporaryDir());
  expect((await wantedAddress({ config, paths, runsNode: true, serverUrl })).serverIp).toBe(serverIp);
});

test('an address that the host has, or that was told, is not waited for', async () => {
  const known = [{ kept: '127.0.0.1' }, { kept: '192.0.2.1', nodeIp: '192.0.2.2' }, {}];
  const all = Promise.all(known.map(untilKeptIsBack)).then(() => 'at once');
  const waited = new Promise((resolve) => setImmediate(resolve, 'later'));
  expect(await Promise.race([all, waited])).toBe('at once');
});
