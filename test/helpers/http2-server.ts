/** Our HTTP/2 with the smallest service behind it: 200 and a hundred bytes for every request that is whole. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Connection, encodeHeaders } from '../../src/datastore/http2/http2.ts';

const head = encodeHeaders([
  [':status', '200'],
  ['content-type', 'text/plain'],
]);
const trailers = encodeHeaders([['x-end', 'yes']]);

export interface TestHttp2Server {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startHttp2Server(body = Buffer.alloc(100, 'x')): Promise<TestHttp2Server> {
  const connections = new Set<Connection>();
  const server = createServer((socket) => {
    const connection = new Connection(socket, (_request, response) => ({
      data: () => {},
      end: () => {
        response.headers(head);
        response.data(body);
        response.trailers(trailers);
      },
      drained: () => {},
      closed: () => {},
    }));
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of connections) connection.close();
      await closed;
    },
  };
}
