/** QEMU's own control socket. @see QEMU 7.2 docs/interop/qmp-spec */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { linesOf } from './lines.ts';

interface Waiting {
  /** An event's name: the call ends when it comes. */
  readonly until: string;
  /** Done when the socket listens for events. */
  readonly first: () => Promise<void>;
  readonly withinMs: number;
}

/** Carries one command out; with `waiting`, returns when its event has come. @throws with QEMU's own words */
export async function qmp(socketPath: string, execute: string, args: object, waiting?: Waiting): Promise<void> {
  const socket = createConnection(socketPath);
  const timer = setTimeout(() => socket.destroy(), waiting?.withinMs ?? 10_000);
  try {
    await once(socket, 'connect');
    const lines = linesOf(socket);
    const say = (command: string, values: object) =>
      socket.write(`${JSON.stringify({ execute: command, arguments: values })}\n`);
    const hear = async (isIt: (message: Record<string, unknown>) => boolean) => {
      for (;;) {
        const { done, value } = await lines.next();
        if (done === true) throw new Error(`QEMU said nothing more to ${execute}`);
        const message = JSON.parse(value) as Record<string, unknown>;
        if ('error' in message) throw new Error(`${execute}: ${JSON.stringify(message['error'])}`);
        if (isIt(message)) return;
      }
    };
    await hear((message) => 'QMP' in message);
    say('qmp_capabilities', {});
    await hear((message) => 'return' in message);
    if (execute !== 'qmp_capabilities') {
      say(execute, args);
      await hear((message) => 'return' in message);
    }
    if (waiting === undefined) return;
    await waiting.first();
    await hear((message) => message['event'] === waiting.until);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
