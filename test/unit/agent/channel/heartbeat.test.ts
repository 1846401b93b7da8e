import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLook, factsOf } from '../../../../src/agent/channel/channel.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { Heartbeat, Facts } from '../../../../src/shared/protocol/channel.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function notReady(reason: string, forMs: number) {
  const lastTransitionTime = new Date(Date.now() - forMs).toISOString();
  return { status: 'False', reason, message: 'x'.repeat(2000), lastTransitionTime } as const;
}

test('what is found of this box fits the message', async () => {
  const dir = temporaryDir();
  const pki = await openPki(dir);
  const { certFile } = await pki.keepLeaf(pki.clientCa, { name: 'kubelet', commonName: 'k', usages: ['client'] });
  const look = createLook({
    processes: () => [
      {
        name: 'kubelet',
        args: [],
        state: 'backing-off',
        condition: notReady('BackingOff', 0),
        pid: 7,
        restarts: 2,
        since: undefined,
        lastExit: 'x'.repeat(1000),
      },
    ],
    notReady: () => [
      { name: 'kubelet', condition: notReady('BackingOff', 0), wasReady: true },
      { name: 'cni', condition: notReady('NoPodCIDR', 20_000), wasReady: false },
      { name: 'node-ready', condition: notReady('Waiting', 1000), wasReady: false },
    ],
    dataDir: dir,
    certificatePaths: () => [certFile],
  });
  const heartbeat = Heartbeat.parse({ type: 'beat', seq: 1, ...(await look()) });
  expect(heartbeat.children).toEqual([
    { name: 'kubelet', state: 'backing-off', restarts: 2, lastExit: 'x'.repeat(300) },
  ]);
  // What starts is not told before it takes long.
  expect(heartbeat.notReady?.map(({ name, reason }) => [name, reason])).toEqual([
    ['kubelet', 'BackingOff'],
    ['cni', 'NoPodCIDR'],
  ]);
  expect(heartbeat.memory.availableBytes).toBeGreaterThan(0);
  expect(heartbeat.memory.availableBytes).toBeLessThan(heartbeat.memory.totalBytes);
  expect(heartbeat.disk.freeBytes).toBeLessThan(heartbeat.disk.sizeBytes);
  expect(heartbeat.certificates.map(({ name }) => name)).toEqual(['kubelet']);
  expect(join(heartbeat.disk.path)).toBe(dir);
});

test('the facts of this box fit the message', () => {
  expect(Facts.parse(factsOf()).cpus).toBeGreaterThan(0);
});
