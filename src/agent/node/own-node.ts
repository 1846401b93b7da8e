import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';
import { lookUntil } from '../../shared/look-until.ts';

export interface OwnNodeOptions {
  readonly apiserverUrl: string;
  readonly nodeName: string;
  /** The kubelet's own credentials: a node may always look at itself. */
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

interface NodeObject {
  readonly spec: { readonly podCIDR?: string };
  readonly status?: { readonly conditions?: readonly NodeCondition[] };
}

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

interface PodListObject {
  readonly items: readonly {
    readonly metadata?: { readonly name?: string };
    readonly status?: { readonly phase?: string; readonly startTime?: string };
  }[];
}

const looks = { leastMs: 50, mostMs: 1000, timesLook: 4 };
const reportedWithinMs = 8000;
const answersWithinMs = 30_000; // of a slow host's kube-apiserver that starts

/** Resolves with this node's pod addresses when kube-controller-manager has given it some. */
export function podCidr(options: OwnNodeOptions, signal: AbortSignal): Promise<string> {
  return askUntil(options, (node) => node.spec.podCIDR, signal);
}

/** Resolves when the API calls the node Ready. */
export async function nodeReady(options: OwnNodeOptions, signal: AbortSignal): Promise<void> {
  const isReady = ({ status }: NodeObject) =>
    status?.conditions?.find((condition) => condition.type === 'Ready' && condition.status === 'True');
  await askUntil(options, isReady, signal);
}

/**
 * Resolves when every pod that the kubelet has ended for a shutdown is reported as ended: it lets the host go down a moment
 * before it has told the API. At once if it has ended none, and in any case after a few seconds.
 */
export async function podsReported(options: OwnNodeOptions): Promise<void> {
  const signal = AbortSignal.timeout(reportedWithinMs);
  const isShuttingDown = ({ status }: NodeObject) =>
    status?.conditions?.some(({ type, message }) => type === 'Ready' && message?.includes('node is shutting down'));
  const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${options.nodeName}`)}`;
  await withCredentials(options, async (get) => {
    for (;;) {
      const node = await get<NodeObject>(nodePath(options), signal);
      if (node === undefined || isShuttingDown(node) !== true) return;
      const pods = await get<PodListObject>(path, signal);
      if (pods === undefined || !pods.items.some(({ status }) => status?.phase === 'Running')) return;
      await delay(4 * looks.leastMs, undefined, { signal }); // a list is more than one node
    }
  }).catch(() => {}); // the time is over, or the API has gone
}

/**
 * Ends the cluster's DNS Pods on this node that started before a moment: what they ask others is fixed when they start. Their
 * Deployment makes new ones. @returns whether kube-apiserver has done it
 */
export async function endDnsPods(
  options: OwnNodeOptions,
  startedBeforeMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const own = encodeURIComponent(`spec.nodeName=${options.nodeName}`);
  const pods = '/api/v1/namespaces/kube-system/pods';
  return withCredentials(options, async (get, remove) => {
    const list = await get<PodListObject>(`${pods}?fieldSelector=${own}&labelSelector=k8s-app%3Dkube-dns`, signal);
    if (list === undefined) return false;
    const older = list.items.filter(({ status }) => Date.parse(status?.startTime ?? '') < startedBeforeMs);
    const done = await Promise.all(older.map(({ metadata }) => remove(`${pods}/${metadata?.name ?? ''}`, signal)));
    return done.every(Boolean);
  });
}

/** Asks for the node until `look` finds something in it. */
async function askUntil<T>(
  options: OwnNodeOptions,
  look: (node: NodeObject) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  return withCredentials(options, async (get) => {
    const ask = async () => {
      const node = await get<NodeObject>(nodePath(options), signal); // not registered, or not allowed, yet: undefined
      return node === undefined ? undefined : look(node);
    };
    return lookUntil(ask, looks, signal);
  });
}

/** The object at a path; undefined while kube-apiserver does not answer or refuses. */
type Get = <T>(path: string, signal: AbortSignal) => Promise<T | undefined>;
/** @returns whether it is gone, or going */
type Remove = (path: string, signal: AbortSignal) => Promise<boolean>;

async function withCredentials<T>(options: OwnNodeOptions, work: (get: Get, remove: Remove) => Promise<T>): Promise<T> {
  const agent = httpsAgent({
    ca: readFileSync(options.caPath, 'utf8'),
    cert: readFileSync(options.certPath, 'utf8'),
    key: readFileSync(options.keyPath, 'utf8'),
  });
  const ask = async (method: 'GET' | 'DELETE', path: string, signal: AbortSignal) => {
    try {
      const url = `${options.apiserverUrl}${path}`;
      return await httpsRequest({ url, method, agent, timeoutMs: answersWithinMs }, signal);
    } catch {
      return undefined; // kube-apiserver is not up, or not again
    }
  };
  try {
    return await work(
      async <Found>(path: string, signal: AbortSignal) => {
        const reply = await ask('GET', path, signal);
        return reply?.status === 200 ? (JSON.parse(reply.body) as Found) : undefined;
      },
      async (path, signal) => [200, 202, 404].includes((await ask('DELETE', path, signal))?.status ?? 0),
    );
  } finally {
    agent.destroy();
  }
}

function nodePath({ nodeName }: OwnNodeOptions): string {
  return `/api/v1/nodes/${nodeName}`;
}
