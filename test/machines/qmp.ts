/** QEMU's own control socket. @see QEMU 7.2 docs/interop/qmp-spec */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { linesOf } from './lines.ts';

/**
 * Listens for events, does what `first` does, and returns when the event has come.
 * @throws with QEMU's own words, or when it says nothing more within the time
 */
export async function awaitQemuEvent(
  socketPath: string,
  event: string,
  first: () => Promise<void>,
  withinMs: number,
): Promise<void> {
  const socket = createConnection(socketPath);
  const timer = setTimeout(() => socket.destroy(), withinMs);
  try {
    await once(socket, 'connect');
    const lines = linesOf(socket);
    const hear = async (isIt: (message: Record<string, unknown>) => boolean) => {
      for (;;) {
        const { done, value } = await lines.next();
        if (done === true) throw new Error(`QEMU said nothing more while ${event} was waited for`);
        const message = JSON.parse(value) as Record<string, unknown>;
        if ('error' in message) throw new Error(`QEMU: ${JSON.stringify(message['error'])}`);
        if (isIt(message)) return;
      }
    };
    await hear((message) => 'QMP' in message);
    socket.write(`${JSON.stringify({ execute: 'qmp_capabilities' })}\n`);
    await hear((message) => 'return' in message);
    await first();
    await hear((message) => message['event'] === event);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
