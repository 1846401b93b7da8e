import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { SteadyGet } from '../../../../src/shared/http/http.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { kubeServer } from '../../../helpers/kube-server.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const never = new AbortController().signal;
const ok = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';

/** Answers each question as the test says; `sockets` are all connections there were. */
async function answering(answer: (socket: Socket, question: string) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => answer(socket, text));
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const get = new SteadyGet(`http://127.0.0.1:${(server.address() as AddressInfo).port}/livez?a=b`);
  onTestFinished(() => {
    get.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { get, sockets, server };
}

test('each question is the same, over one connection', async () => {
  const questions: string[] = [];
  const { get, sockets, server } = await answering((socket, question) => {
    questions.push(question);
    socket.write(ok);
  });
  for (let n = 0; n < 3; n++) expect(await get.ask(never)).toEqual({ status: 200, body: 'ok' });
  const { port } = server.address() as AddressInfo;
  expect(questions).toEqual(Array(3).fill(`GET /livez?a=b HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
  expect(sockets).toHaveLength(1);
});

test('an answer may come in pieces', async () => {
  const { get } = await answering((socket) => {
    const rest = ok.split('');
    const more = () => {
      const piece = rest.splice(0, 7).join('');
      if (piece !== '') socket.write(piece, () => setImmediate(more));
    };
    more();
  });
  expect(await get.ask(never)).toEqual({ status: 200, body: 'ok' });
});

test('what is complained of comes whole, over the same connection', async () => {
  const body = '[-]etcd failed: „fsync“ hangs';
  const length = Buffer.byteLength(body);
  const { get, sockets } = await answering(
    (socket) => void socket.write(`HTTP/1.1 500 Internal Server Error\r\ncontent-length:${length}\r\n\r\n${body}`),
  );
  for (let n = 0; n < 2; n++) expect(await get.ask(never)).toEqual({ status: 500, body });
  expect(sockets).toHaveLength(1);
});

test('what is no answer of known length is left to others, and the next question has a connection of its own', async () => {
  let answer = '';
  const { get, sockets } = await answering((socket) => void socket.write(answer));
  const others = [
    ok.replace('200', '2000'),
    ok.replace('200 OK', '101 Switching Protocols'),
    ok.replace('Content-Length: 2', 'Transfer-Encoding: chunked'),
    `${ok}and more`,
    `SSH-2.0-OpenSSH_9.2\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`,
  ];
  for (answer of others) expect(await get.ask(never)).toBeUndefined();
  answer = ok;
  expect(await get.ask(never)).toMatchObject({ status: 200 });
  expect(sockets).toHaveLength(others.length + 1);
});

test('nobody there, or a connection that ends, is no answer', async () => {
  const { get, sockets, server } = await answering((socket) => void socket.end());
  expect(await get.ask(never)).toBeUndefined();
  server.close();
  for (const socket of sockets) socket.destroy();
  await once(server, 'close');
  expect(await get.ask(never)).toBeUndefined();
});

test('a question that is given up rejects with the reason, and its late answer answers no other', async () => {
  let isSilent = true;
  const { get, sockets } = await answering((socket) => {
    if (!isSilent) socket.write(ok.replace('200 OK', '503 Service Unavailable'));
  });
  const over = new AbortController();
  const asked = get.ask(over.signal);
  await eventually(() => sockets.length === 1);
  expect(await get.ask(never)).toBeUndefined(); // one at a time
  over.abort(new Error('too long'));
  await expect(asked).rejects.toThrow('too long');
  isSilent = false;
  sockets[0]?.write(ok);
  expect(await get.ask(never)).toMatchObject({ status: 503 });
  expect(sockets).toHaveLength(2);
});

test('what comes unasked ends the connection', async () => {
  const { get, sockets } = await answering((socket) => void socket.write(ok));
  expect(await get.ask(never)).toMatchObject({ status: 200 });
  sockets[0]?.write(ok);
  await eventually(() => sockets[0]?.destroyed);
  expect(await get.ask(never)).toMatchObject({ status: 200 });
  expect(sockets).toHaveLength(2);
});

test('over TLS it says who asks, and who has the certificate of another authority is not believed', async () => {
  const users: (string | undefined)[] = [];
  const { url, caPem } = await kubeServer(({ user }, response) => {
    users.push(user);
    response.end('ok');
  });
  const ask = async (ca: string) => {
    const get = new SteadyGet(`${url}/readyz`, { ca });
    onTestFinished(() => get.close());
    return await get.ask(AbortSignal.timeout(5000));
  };
  expect(await ask(caPem)).toMatchObject({ status: 200 });
  const other = await openPki(temporaryDir());
  expect(await ask(other.serverCa.caPem)).toBeUndefined();
  expect(users).toHaveLength(1);
});
