import { expect, onTestFinished, test } from 'vitest';
import { openProbeSocket, probeSizes } from '../../../../src/host/probe/probe.ts';
import { vxlanBytes, vxlanPacket } from '../../../../src/host/probe/vxlan.ts';
import { eventually } from '../../../helpers/wait.ts';

const never = new AbortController().signal;

test('sizes go up to what both ends allow, and no further than jumbo frames', () => {
  expect(probeSizes([1500, 9000])).toEqual([576, 1000, 1280, 1350, 1400, 1420, 1450, 1472, 1492, 1500]);
  expect(probeSizes([1430, 1500]).slice(-2)).toEqual([1420, 1430]);
  expect(probeSizes([65_536, 65_536]).at(-1)).toBe(9000);
});

test('a socket counts the packets of its own test, each size once', async () => {
  const [one, other] = await Promise.all([openProbeSocket('test-1'), openProbeSocket('test-1')]);
  const stranger = await openProbeSocket('test-2');
  onTestFinished(() => [one, other, stranger].forEach((socket) => socket.close()));
  const to = { address: '127.0.0.1', port: other.port, clusterCidr: '10.42.0.0/16' };
  await stranger.send(to, [600], never);
  await one.send(to, [576, 1280], never);
  await eventually(() => other.seen().length >= 2);
  expect(other.seen()).toEqual([576, 1280]);
});

test('a test that is over sends nothing more', async () => {
  const [one, other] = await Promise.all([openProbeSocket('a'), openProbeSocket('a')]);
  onTestFinished(() => [one, other].forEach((socket) => socket.close()));
  await one.send({ address: '127.0.0.1', port: other.port, clusterCidr: '10.42.0.0/16' }, [576], AbortSignal.abort());
  expect(other.seen()).toEqual([]);
});

test('a packet for a VXLAN device: network 1, a frame for its MAC, IPv4 with a right checksum, UDP', () => {
  const tunnel = { address: '10.42.0.0', mac: '02:aa:bb:cc:dd:ee' };
  const packet = vxlanPacket({ tunnel, source: '10.42.255.254', port: 40_000, data: Buffer.from('data') });
  expect(packet).toHaveLength(vxlanBytes + 4);
  expect(packet.subarray(0, 8).toString('hex')).toBe('0800000000000100');
  expect(packet.subarray(8, 22).toString('hex')).toBe('02aabbccddee0200000000010800');
  const ip = packet.subarray(22, 42);
  expect(ip.readUInt16BE(2)).toBe(32);
  expect([...ip.subarray(12, 20)]).toEqual([10, 42, 255, 254, 10, 42, 0, 0]);
  const sum = Array.from({ length: 10 }, (_, index) => ip.readUInt16BE(index * 2)).reduce(
    (total, word) => total + word,
  );
  expect((sum & 0xffff) + (sum >> 16)).toBe(0xffff); // as RFC 1071 says of a header that is whole
  expect(packet.subarray(42).toString('hex')).toBe(`9c409c40000c0000${Buffer.from('data').toString('hex')}`);
});
