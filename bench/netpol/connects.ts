/**
 * Connects again and again, in the network of a pod: `node connects.ts ADDRESS PORT watch` prints when each attempt began and
 * whether it succeeded, until it is ended; `times COUNT` prints how many milliseconds each of so many took, one after another.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const [, , address = '', port = '', mode = '', count = '0'] = process.argv;
const everyMs = 5;
const withinMs = 300;

async function attempt(): Promise<boolean> {
  const socket = connect({ host: address, port: Number(port) });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(withinMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

if (mode === 'watch') {
  for (;;) {
    const atMs = Date.now();
    void attempt().then((isOpen) => process.stdout.write(`${atMs} ${isOpen}\n`));
    await delay(everyMs);
  }
}
const times: number[] = [];
for (let at = 0; at < Number(count); at++) {
  const fromMs = performance.now();
  if (!(await attempt())) throw new Error(`${address}:${port} does not answer`);
  times.push(performance.now() - fromMs);
}
process.stdout.write(JSON.stringify(times));
