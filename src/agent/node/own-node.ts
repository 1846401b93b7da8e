import { setTimeout as delay } from 'node:timers/promises';
import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';
import { lookUntil } from '../../shared/look-until.ts';
import { readText } from '../../shared/files/files.ts';

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
  readonly items: readonly { readonly status?: { readonly phase?: string } }[];
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

async function withCredentials<T>(options: OwnNodeOptions, work: (get: Get) => Promise<T>): Promise<T> {
  const agent = httpsAgent({
    ca: readText(options.caPath),
    cert: readText(options.certPath),
    key: readText(options.keyPath),
  });
  try {
    return await work(async <Found>(path: string, signal: AbortSignal) => {
      try {
        const url = `${options.apiserverUrl}${path}`;
        const { status, body } = await httpsRequest({ url, agent, timeoutMs: answersWithinMs }, signal);
        return status === 200 ? (JSON.parse(body) as Found) : undefined;
      } catch {
        return undefined; // kube-apiserver is not up, or not again
      }
    });
  } finally {
    agent.destroy();
  }
}

function nodePath({ nodeName }: OwnNodeOptions): string {
  return `/api/v1/nodes/${nodeName}`;
}
