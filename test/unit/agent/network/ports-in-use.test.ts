import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { portsInUse } from '../../../../src/agent/network/network.ts';
import { hostRoot } from '../../../../src/host/checks/checks.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const own = '192.0.2.1';

async function listening(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a program that listens on every address has the port, with its name; one on loopback does not', async () => {
  const [everywhere, loopback] = [await listening('0.0.0.0'), await listening('127.0.0.1')];
  const ports = [everywhere, loopback].map((port) => ({ protocol: 'TCP', port }));
  expect(portsInUse(ports, [own])).toEqual([
    {
      protocol: 'TCP',
      port: everywhere,
      owner: expect.stringMatching(new RegExp(`\\(pid ${process.pid}\\)$`)) as unknown,
    },
  ]);
});

test('UDP is looked at as UDP', async () => {
  const socket = createSocket('udp4').bind(0, '0.0.0.0');
  onTestFinished(() => void socket.close());
  await once(socket, 'listening');
  const { port } = socket.address();
  expect(portsInUse([{ protocol: 'UDP', port }], [own])).toHaveLength(1);
  expect(portsInUse([{ protocol: 'TCP', port }], [own])).toEqual([]);
});

test('a pod with a hostPort has the port', () => {
  const dir = join(temporaryDir(), 'results');
  mkdirSync(dir);
  const result = {
    networkName: 'kagent',
    cniArgs: [
      ['K8S_POD_NAMESPACE', 'shop'],
      ['K8S_POD_NAME', 'web'],
    ],
    // As containerd writes it; other runtimes write hostPort.
    capabilityArgs: { portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }] },
  };
  writeFileSync(join(dir, 'kagent-abc-eth0'), JSON.stringify(result));
  writeFileSync(join(dir, 'kagent-def-eth0'), 'half');
  const asked = [8080, 8081].map((port) => ({ protocol: 'TCP', port }));
  expect(portsInUse(asked, [own], hostRoot(temporaryDir()), dir)).toEqual([
    { protocol: 'TCP', port: 8080, owner: 'the Pod shop/web (hostPort)' },
  ]);
});
