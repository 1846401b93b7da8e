/**
 * Asks as fast as it is answered: `node load.ts URL HOST CONNECTIONS SECONDS`. Each connection is kept, and has one request at a time.
 * Prints requests a second and milliseconds, of which 99 and 50 of 100 requests took less, as JSON.
 */
import { Agent, get } from 'node:http';

const [url = '', host = '', connections = '16', seconds = '10'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const tookMs: number[] = [];
let failed = 0;

function ask(): Promise<void> {
  return new Promise((resolve) => {
    const beganMs = performance.now();
    const fail = () => {
      failed += 1;
      resolve();
    };
    get(url, { agent, headers: { host } }, (response) => {
      response.resume();
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode !== 200) return fail();
        tookMs.push(performance.now() - beganMs);
        resolve();
      });
    }).on('error', fail);
  });
}

const endMs = performance.now() + Number(seconds) * 1000;
async function askAgain(): Promise<void> {
  while (performance.now() < endMs) await ask();
}
await Promise.all(Array.from({ length: Number(connections) }, askAgain));
agent.destroy();
const sorted = tookMs.toSorted((a, b) => a - b);
const below = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
const result = { perSecond: tookMs.length / Number(seconds), p50Ms: below(0.5), p99Ms: below(0.99), failed };
process.stdout.write(`${JSON.stringify(result)}\n`);
