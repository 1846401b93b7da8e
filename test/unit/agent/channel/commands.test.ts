import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCommands } from '../../../../src/agent/channel/channel.ts';
import { PodProbeResults } from '../../../../src/shared/protocol/channel.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const condition = { status: 'True', reason: 'Ready', message: '', lastTransitionTime: '' } as const;

function commands() {
  const logDir = temporaryDir();
  const done: string[] = [];
  const carryOut = createCommands({
    supervisor: {
      supervise: () => Promise.reject(new Error('nobody supervises here')),
      restart(name) {
        done.push(`restart ${name}`);
        return Promise.resolve(name === 'kubelet');
      },
      processes: () => [
        {
          name: 'kubelet',
          args: [],
          state: 'ready',
          condition,
          pid: 1,
          restarts: 0,
          since: undefined,
          lastExit: undefined,
        },
      ],
    },
    logDir,
    setLogLevel: (level) => void done.push(`level ${level}`),
    leave: () => void done.push('leave'),
    volumes: {
      make: ({ path }) => void done.push(`make ${path}`),
      remove: ({ path }) => Promise.resolve(void done.push(`remove ${path}`)),
    },
    portsInUse: (ports) => ports.map((one) => ({ ...one, owner: 'sshd (pid 1)' })),
    probe: (targets) =>
      Promise.resolve(
        targets.map(({ nodeName }) => ({ nodeName, answers: true, answersLarge: false, largeBytes: 1450 })),
      ),
  });
  return { logDir, done, carryOut };
}

test('the last lines of one log are answered, or of each under its name', async () => {
  const { logDir, carryOut } = commands();
  writeFileSync(join(logDir, 'kubelet.log'), 'one\ntwo\nthree\n');
  writeFileSync(join(logDir, 'containerd.log'), 'c\n');
  writeFileSync(join(logDir, 'kubelet.log.1'), 'older\n');
  expect(await carryOut({ kind: 'logs', component: 'kubelet', lines: 2 })).toBe('two\nthree\n');
  expect(await carryOut({ kind: 'logs', lines: 1 })).toBe('==> containerd <==\nc\n\n==> kubelet <==\nthree\n');
});

test('a log that is long is answered in part', async () => {
  const { logDir, carryOut } = commands();
  writeFileSync(join(logDir, 'kubelet.log'), `${'x'.repeat(99)}\n`.repeat(10_000));
  expect((await carryOut({ kind: 'logs', component: 'kubelet', lines: 10_000 })).length).toBeLessThan(300_000);
});

test.each(['../../etc/passwd', 'kube'])(
  'there is no log of %s, and the answer says which there are',
  async (component) => {
    const { logDir, carryOut } = commands();
    writeFileSync(join(logDir, 'kubelet.log'), 'secret\n');
    await expect(carryOut({ kind: 'logs', component, lines: 1 })).rejects.toThrow(
      `no component is named ${component}; there are kubelet`,
    );
  },
);

test('a component is restarted, one that is not there is named', async () => {
  const { done, carryOut } = commands();
  expect(await carryOut({ kind: 'restart', component: 'kubelet' })).toBe('kubelet was restarted');
  await expect(carryOut({ kind: 'restart', component: 'etcd' })).rejects.toThrow(
    'no component is named etcd; there are kubelet',
  );
  expect(done).toEqual(['restart kubelet', 'restart etcd']);
});

test('leaving is answered before it is done', async () => {
  const { done, carryOut } = commands();
  expect(await carryOut({ kind: 'leave' })).toBe('leaving');
  expect(done).toEqual([]);
  await new Promise((resolve) => void setImmediate(resolve));
  expect(done).toEqual(['leave']);
});

test('what other nodes answer through the pods’ network is told as JSON', async () => {
  const { carryOut } = commands();
  const text = await carryOut({ kind: 'probe', targets: [{ nodeName: 'a2', address: '10.42.2.0' }] });
  expect(PodProbeResults.parse(JSON.parse(text))).toMatchObject([{ nodeName: 'a2', answersLarge: false }]);
});

test('who has a port is answered as JSON', async () => {
  const { carryOut } = commands();
  const answer = await carryOut({ kind: 'ports-in-use', ports: [{ protocol: 'TCP', port: 22 }] });
  expect(JSON.parse(answer)).toEqual([{ protocol: 'TCP', port: 22, owner: 'sshd (pid 1)' }]);
});
