import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askNetworkPolicies } from '../../../../src/agent/network/network-policies.ts';
import { systemCode } from '../../../../src/shared/errors.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const signal = () => AbortSignal.timeout(10_000);

/** Answers each line with this text. */
async function answering(answer: string): Promise<{ readonly path: string; readonly asked: string[] }> {
  const path = join(temporaryDir(), 'socket');
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      asked.push(String(data));
      socket.end(answer);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { path, asked };
}

test('what enforces policies is well if it has nothing to say', async () => {
  const { path, asked } = await answering('{}\n');
  await askNetworkPolicies('ready', signal(), path);
  expect(asked).toEqual(['{"ask":"ready"}\n']);
});

test('what it says is passed on', async () => {
  const { path } = await answering('{"error":"its kernel cannot"}\n');
  await expect(askNetworkPolicies('live', signal(), path)).rejects.toThrow('its kernel cannot');
});

test.each(['', 'hello\n', '[]\n'])('%j is no answer', async (text) => {
  const { path } = await answering(text);
  await expect(askNetworkPolicies('live', signal(), path)).rejects.toThrow('no answer');
});

test('nobody at the socket is the system’s error, as for any program that is gone', async () => {
  const error = await askNetworkPolicies('live', signal(), join(temporaryDir(), 'socket')).catch((caught) => caught);
  expect(systemCode(error)).toBe('ENOENT');
});

test('a question ends with its signal', async () => {
  const path = join(temporaryDir(), 'socket');
  const server = createServer(() => {}).listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await expect(askNetworkPolicies('live', AbortSignal.timeout(50), path)).rejects.toThrow(/abort/i);
});
