import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { Http2Server, ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { unaryCall } from '../../../../src/agent/runtime/grpc.ts';
import type { ProtoReader } from '../../../../src/shared/protobuf/protobuf.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const signal = new AbortController().signal;
const readNothing = (): void => {};
const readOnlyText = (reply: ProtoReader): string => (reply.next() ? reply.bytesView().toString() : '');

async function serve(answer: (stream: ServerHttp2Stream, path: string) => void): Promise<string> {
  const socketPath = join(temporaryDir(), 's');
  const server: Http2Server = createServer();
  server.listen(socketPath);
  server.on('stream', (stream: ServerHttp2Stream, headers) => answer(stream, String(headers[':path'])));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return socketPath;
}

test('the answer comes without its frame', async () => {
  const socketPath = await serve((stream, path) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, path.length + 2, 10, path.length]), Buffer.from(path)]));
  });
  const answer = await unaryCall({ socketPath, method: 'a.B/C' }, readOnlyText, signal);
  expect(answer).toBe('/a.B/C');
});

test('an error that comes alone, without a body, keeps its number and words', async () => {
  const socketPath = await serve((stream) => {
    stream.respond(
      { ':status': 200, 'grpc-status': '14', 'grpc-message': 'server is not initialized yet' },
      { endStream: true },
    );
  });
  await expect(unaryCall({ socketPath, method: 'a.B/C' }, readNothing, signal)).rejects.toMatchObject({
    code: 'RUNTIME_CALL_FAILED',
    status: 14,
    message: 'containerd answered a.B/C with status 14: server is not initialized yet',
  });
});

test('a socket that is not there is an error of the same kind', async () => {
  const call = unaryCall({ socketPath: join(temporaryDir(), 'none'), method: 'a.B/C' }, readNothing, signal);
  await expect(call).rejects.toMatchObject({ code: 'RUNTIME_CALL_FAILED', status: 14 });
});

test('a call that gets no answer ends with its signal', async () => {
  const asked = Promise.withResolvers<void>();
  const socketPath = await serve(() => asked.resolve());
  const cancel = new AbortController();
  const call = unaryCall({ socketPath, method: 'a.B/C' }, readNothing, cancel.signal);
  await asked.promise;
  cancel.abort();
  await expect(call).rejects.toMatchObject({ code: 'RUNTIME_CALL_FAILED' });
});
