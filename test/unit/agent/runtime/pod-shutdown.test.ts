import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { readContainer } from '../../../../src/agent/runtime/cri.ts';
import { shutDownPods } from '../../../../src/agent/runtime/pod-shutdown.ts';
import { bytesField, bytesFields, numberField, textOf } from '../../../helpers/protobuf-bytes.ts';
import { ProtoReader } from '../../../../src/shared/protobuf/protobuf.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const entry = (field: number, key: string, value: string) =>
  bytesField(field, Buffer.concat([bytesField(1, key), bytesField(2, value)]));

function container(id: string, namespace: string, annotations: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.concat([
    bytesField(1, id),
    numberField(6, 1),
    entry(8, 'io.kubernetes.pod.namespace', namespace),
    ...Object.entries(annotations).map(([key, value]) => entry(9, key, value)),
  ]);
}

/** A CRI that answers `lists`, takes `tookMs` for every stop, and keeps the calls, with the last number of each. */
async function fakeCri(lists: Readonly<Record<string, readonly Uint8Array[]>>, tookMs = 0) {
  const socketPath = join(temporaryDir(), 's');
  const calls: string[] = [];
  const server = createServer();
  server.listen(socketPath);
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    const reply = async (frame: Buffer): Promise<void> => {
      const message = frame.subarray(5);
      const texts = [...bytesFields(message)].map(([, value]) => textOf(value));
      if (!method.startsWith('List')) {
        calls.push(`${method} ${texts.join(' ')} ${message.at(-1)}`);
        await delay(tookMs);
        calls.push(`end of ${texts[0]}`);
      }
      const answer = Buffer.concat((lists[method] ?? []).map((item) => bytesField(1, item)));
      const frameOut = Buffer.alloc(5 + answer.length);
      frameOut.writeUInt32BE(answer.length, 1);
      frameOut.set(answer, 5);
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(frameOut);
    };
    stream.once('data', (frame: Buffer) => void reply(frame));
  });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { socketPath, calls };
}

const grace = { totalSeconds: 25, criticalSeconds: 8 };

test("users' containers end before the system's, each with the time its pod asks for or the host has, then their pods", async () => {
  const hook = { 'io.kubernetes.container.preStopHandler': JSON.stringify({ exec: { command: ['sh', '-c', 'bye'] } }) };
  const { socketPath, calls } = await fakeCri(
    {
      ListContainers: [
        container('dns', 'kube-system'),
        container('patient', 'default', { 'io.kubernetes.pod.terminationGracePeriod': '60' }),
        container('quick', 'default', { 'io.kubernetes.pod.terminationGracePeriod': '2', ...hook }),
      ],
      ListPodSandbox: [bytesField(1, 'pod')],
    },
    20,
  );
  await shutDownPods({ socketPath, grace, log: silentLog });
  expect(calls.toSorted()).toEqual(
    [
      'ExecSync quick sh -c bye 2',
      'StopContainer dns 8',
      'StopContainer patient 17',
      'StopContainer quick 2',
      `StopPodSandbox pod ${'d'.charCodeAt(0)}`,
      ...['dns', 'patient', 'pod', 'quick', 'quick'].map((id) => `end of ${id}`),
    ].toSorted(),
  );
  const at = (call: string) => calls.lastIndexOf(call);
  expect(at('StopContainer quick 2')).toBeGreaterThan(calls.indexOf('end of quick'));
  expect(at('StopContainer dns 8')).toBeGreaterThan(Math.max(at('end of patient'), at('end of quick')));
  expect(at(`StopPodSandbox pod ${'d'.charCodeAt(0)}`)).toBeGreaterThan(at('end of dns'));
});

test('where no container runs, and where containerd does not answer, it is over at once', async () => {
  const { socketPath, calls } = await fakeCri({});
  await shutDownPods({ socketPath, grace, log: silentLog });
  expect(calls).toEqual([]);
  await shutDownPods({ socketPath: join(temporaryDir(), 'none'), grace, log: silentLog });
});

test('a container of a pod that says nothing has thirty seconds and no hook', () => {
  expect(readContainer(new ProtoReader(container('a', 'default')))).toEqual({
    id: 'a',
    namespace: 'default',
    graceSeconds: 30,
    preStop: [],
  });
  const http = { 'io.kubernetes.container.preStopHandler': '{"httpGet":{"port":80}}' };
  expect(readContainer(new ProtoReader(container('a', 'default', http))).preStop).toEqual([]);
});
