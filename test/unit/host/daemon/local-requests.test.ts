import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import {
  askServer,
  askStatus,
  LocalRefusedError,
  NoAnswerError,
  NotRunningError,
  NotServerError,
} from '../../../../src/host/daemon/daemon.ts';
import type { DaemonStatus, LocalRequests } from '../../../../src/host/daemon/daemon.ts';
import { serveLocally } from '../../../../src/host/daemon/status.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function serving(others: LocalRequests | undefined): Promise<string> {
  const socket = join(temporaryDir(), 'kagent.sock');
  onTestFinished(await serveLocally(socket, { status: () => ({}) as DaemonStatus, others }));
  return socket;
}

const Answer = z.object({ said: z.string() });
const ask = (socket: string, body?: unknown) =>
  askServer(socket, { method: 'POST', path: '/v1/echo', ...(body !== undefined && { body }) }, Answer);

test('a question reaches the server with its body, and its answer comes back', async () => {
  const socket = await serving((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => response.end(JSON.stringify({ said: text })));
  });
  expect(await ask(socket, { a: 1 })).toEqual({ said: '{"a":1}' });
  expect(statSync(socket).mode & 0o777).toBe(0o600);
});

test('a refusal keeps its code and its words', async () => {
  const socket = await serving((_request, response) => {
    response.statusCode = 409;
    response.end(
      JSON.stringify({ code: 'TOKEN_EXISTS', detail: 'there is one; give another', remedy: 'give another' }),
    );
  });
  await expect(ask(socket)).rejects.toThrow(LocalRefusedError);
  await expect(ask(socket)).rejects.toMatchObject({
    code: 'TOKEN_EXISTS',
    message: 'there is one; give another',
    remedy: 'give another',
  });
});

test('an agent says that it is no server, and nobody that nobody runs', async () => {
  await expect(ask(await serving(undefined))).rejects.toThrow(NotServerError);
  await expect(ask(join(temporaryDir(), 'none.sock'))).rejects.toThrow(NotRunningError);
});

test('a kagent that listens and does not answer is not taken for one that does not run', async () => {
  const socket = join(temporaryDir(), 'kagent.sock');
  const mute = createServer(() => {}).listen(socket);
  onTestFinished(() => void mute.close());
  await once(mute, 'listening');
  const asked = askStatus(socket, 200);
  await expect(asked).rejects.toThrow(NoAnswerError);
  await expect(asked).rejects.toThrow(/has not answered within 0\.2 s: it runs, but the box is too busy/);
});

test('a status that is not understood is said to be of another version', async () => {
  const socket = await serving(undefined);
  await expect(askStatus(socket)).rejects.toThrow(
    /is of another version, and its status is not understood; restart it/,
  );
});
