/**
 * Prints, as JSON, when a node became Ready and when its pod first answered: milliseconds since 1970. Run by join.ts on the
 * server's box: `node probe.ts NODE APP`.
 */
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { openKube, readKubeconfig } from '../kube.ts';

const [, , nodeName = '', app = ''] = process.argv;
const beganAtMs = Date.now();
const kube = openKube(readKubeconfig());

interface Node {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastHeartbeatTime: string;
    }[];
  };
}
interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly deletionTimestamp?: string };
    readonly status: { readonly podIP?: string };
  }[];
}

const nodeReady = await until(async () => {
  const node = await ask<Node>(`/api/v1/nodes/${nodeName}`);
  const ready = node?.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True');
  // Of a node that was Ready before its box booted, only the kubelet's word is new. The time has whole seconds.
  return ready !== undefined && Date.parse(ready.lastHeartbeatTime) + 1000 > beganAtMs;
});
const podServing = await until(async () => {
  const pods = await ask<Pods>(`/api/v1/namespaces/default/pods?labelSelector=app%3D${app}`);
  const address = pods?.items.find(({ metadata }) => metadata.deletionTimestamp === undefined)?.status.podIP;
  return address !== undefined && (await answers(address));
});
kube.close();
process.stdout.write(JSON.stringify({ nodeReady, podServing }));

/** @returns when it was so, to ten milliseconds */
async function until(look: () => Promise<boolean>): Promise<number> {
  while (!(await look().catch(() => false))) await delay(10);
  return Date.now();
}

async function ask<T>(path: string): Promise<T | undefined> {
  const { status, text } = await kube.ask(path);
  return status === 200 ? (JSON.parse(text) as T) : undefined;
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get({ host: address, timeout: 500, agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
  });
}
