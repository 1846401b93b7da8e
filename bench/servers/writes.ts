/**
 * Writes by kube-apiserver on this box, and prints as JSON when each was asked for and answered, in milliseconds since 1970:
 * `node writes.ts SECONDS CLIENTS PAUSE_MS`. Each client makes ConfigMaps, one after the other; who is not answered within two seconds
 * goes on with the next. Run by servers.ts inside a host of the lab.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { openKube, readKubeconfig } from '../kube.ts';

const [, , seconds = '10', clients = '1', pauseMs = '0'] = process.argv;
const answeredWithinMs = 2000;
const path = '/api/v1/namespaces/bench/configmaps';

export interface Write {
  readonly askedMs: number;
  readonly answeredMs: number;
}

const writes: Write[] = [];
const untilMs = Date.now() + Number(seconds) * 1000;

async function client(number: number): Promise<void> {
  let kube = openKube(readKubeconfig());
  for (let count = 0; Date.now() < untilMs; count++) {
    const askedMs = Date.now();
    const metadata = { name: `w-${process.pid}-${number}-${count}` };
    const late = delay(answeredWithinMs).then(() => undefined);
    const asked = kube.ask(path, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { word: 'x'.repeat(500) } });
    const answer = await Promise.race([asked.catch(() => undefined), late]);
    if (answer?.status === 201) writes.push({ askedMs, answeredMs: Date.now() });
    else if (answer === undefined) {
      kube.close();
      kube = openKube(readKubeconfig());
    }
    await delay(Number(pauseMs));
  }
  kube.close();
}

await Promise.all(Array.from({ length: Number(clients) }, (_, index) => client(index)));
process.stdout.write(JSON.stringify(writes), () => process.exit(0));
