import { expect, test } from 'vitest';
import { statusText } from '../../../src/cli/status.ts';
import { age, table } from '../../../src/cli/table.ts';
import type { DaemonStatus } from '../../../src/host/daemon/daemon.ts';

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const ready = { status: 'True', reason: 'Ready', message: '', lastTransitionTime: at(0) } as const;

const status: DaemonStatus = {
  mode: 'server',
  version: '0.1.0',
  pid: 7,
  since: at(0),
  dataDir: '/var/lib/kagent',
  nodeName: 'box',
  isReady: true,
  notes: [],
  components: [
    { name: 'datastore', condition: ready, restarts: 0 },
    {
      name: 'kubelet',
      condition: { ...ready, status: 'False', reason: 'BackingOff', message: 'exit code 1: no such file' },
      pid: 42,
      restarts: 3,
      since: at(30),
      cpuSeconds: 1.25,
      memoryBytes: 50 * 2 ** 20,
    },
  ],
  events: [{ type: 'Warning', reason: 'Ended', regarding: 'kubelet', message: 'kubelet ended', eventTime: at(40) }],
};

test('status says who runs, how each component is, and what happened lately', () => {
  const text = statusText(status, 90_000);
  expect(text).toContain(
    'kagent 0.1.0 server, node box: ready, except kubelet, pid 7, up 90s, data in /var/lib/kagent',
  );
  expect(text).toMatch(/^kubelet +BackingOff +42 +3 +60s +1\.3 s +50 MiB +exit code 1: no such file$/m);
  expect(text).toMatch(/^datastore +Ready +- +- +90s +- +-$/m);
  expect(text).toMatch(/^50s +Warning +Ended +kubelet +kubelet ended$/m);
});

test('all is ready when each component is, and not before', () => {
  const head = (components: DaemonStatus['components'], isReady = true) =>
    statusText({ ...status, isReady, components }, 0).split('\n')[0];
  expect(head([{ name: 'datastore', condition: ready, restarts: 0 }])).toContain('node box: ready, pid 7');
  const dns = { name: 'cluster-dns', condition: { ...ready, status: 'Unknown' as const }, restarts: 0 };
  expect(head([dns])).toContain('node box: ready, except cluster-dns, pid 7');
  expect(head([dns], false)).toContain('node box: starting, pid 7');
});

test('ages are written as kubectl writes them', () => {
  const minute = 60_000;
  expect([45_000, 3 * minute, 200 * minute, 100 * 60 * minute].map(age)).toEqual(['45s', '3m', '3h20m', '4d4h']);
});

test('columns are as wide as their widest cell, without blanks at the end', () => {
  const rows = [
    ['a', 'long'],
    ['longer', ''],
  ];
  expect(table(rows)).toBe('a        long\nlonger');
});
