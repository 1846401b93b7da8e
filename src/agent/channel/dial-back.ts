import { request } from 'node:https';
import type { Socket } from 'node:net';
import { dial, joinStreams } from '../../shared/streams/streams.ts';
import { tunnelPathPrefix, tunnelProtocol } from '../../shared/protocol/channel.ts';
import type { ChannelTls } from './types.ts';

const dialWithinMs = 10_000;

/** Connects to an address of this node, then to the server, and joins the two. @throws what kept either from being reached */
export async function dialBack(options: {
  /** The supervisor that asked. */
  readonly url: string;
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly tls: ChannelTls;
}): Promise<void> {
  const target = await dial({ ...options, withinMs: dialWithinMs });
  try {
    const stream = await upgrade(options);
    void joinStreams(target, stream);
  } catch (error) {
    target.destroy();
    throw error;
  }
}

function upgrade({ url, id, tls }: { readonly url: string; readonly id: string; readonly tls: ChannelTls }) {
  return new Promise<Socket>((resolve, reject) => {
    const asked = request(`${url}${tunnelPathPrefix}${id}`, {
      ...tls,
      agent: false, // a connection of its own, which nothing else waits behind
      headers: { connection: 'Upgrade', upgrade: tunnelProtocol },
      timeout: dialWithinMs,
    });
    asked.once('upgrade', (_response, socket: Socket, head: Buffer) => {
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.once('response', (response) => {
      response.resume();
      reject(new Error(`the server answers ${response.statusCode}`));
    });
    asked.once('timeout', () => asked.destroy(new Error('the server does not answer')));
    asked.once('error', reject);
    asked.end();
  });
}
