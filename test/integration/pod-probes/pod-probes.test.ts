/** Probes over real UDP, with loopback as the pods' network. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { createPodProbes, PodProbesOffError } from '../../../src/agent/network/network.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { clusterSettings } from '../../helpers/join-server.ts';

const here = [{ nodeName: 'a1', address: '127.0.0.1' }];

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

async function node(port: number, changes: Partial<typeof clusterSettings> = {}) {
  const settings = () => ({ ...clusterSettings, clusterCidr: '127.0.0.0/8', ...changes });
  const probes = createPodProbes({ after: [], settings, log: silentLog, port });
  await probes.start(new AbortController().signal);
  onTestFinished(() => probes.stop());
  return probes;
}

test('a node that listens answers small packets and large ones', async () => {
  const probes = await node(await freePort());
  expect(await probes.probe(here)).toEqual([
    { nodeName: 'a1', answers: true, answersLarge: true, largeBytes: expect.any(Number) },
  ]);
  expect(probes.health()).toMatchObject({ status: 'True', reason: 'Answered' });
});

test('one that answers small packets alone is named', async () => {
  const port = await freePort();
  const narrow = createSocket('udp4').bind(port);
  narrow.on('message', (message, from) => {
    if (message.length < 1000)
      narrow.send(message.toString().replace('ask', 'answer').slice(0, -3), from.port, from.address);
  });
  onTestFinished(() => void narrow.close());
  const probes = await node(port);
  expect(probes.health()).toMatchObject({ status: 'False', reason: 'PortTaken' });
  const [result] = await probes.probe(here);
  expect(result).toMatchObject({ answers: true, answersLarge: false });
  expect(probes.health().message).toContain('bytes do not pass to a1 and back, small ones do');
});

test('a packet from outside the pods’ range is not answered', async () => {
  const port = await freePort();
  const probes = await node(port, { clusterCidr: '10.42.0.0/16' });
  const [result] = await probes.probe(here);
  expect(result?.answers).toBe(false);
  expect(probes.health()).toMatchObject({ status: 'False', message: 'a1 does not answer through the pods’ network' });
});

test('with a network that has no device of its own nothing is probed', async () => {
  const probes = await node(await freePort(), { flannelBackend: 'host-gw' });
  expect(probes.areOn()).toBe(false);
  await expect(probes.probe(here)).rejects.toThrow(PodProbesOffError);
});
