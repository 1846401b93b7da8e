import { setTimeout as delay } from 'node:timers/promises';
import type { SaysWait } from '../../shared/component/component.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
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
  readonly items: readonly {
    readonly metadata?: { readonly name?: string };
    readonly status?: { readonly phase?: string; readonly startTime?: string };
  }[];
}

const looks = { leastMs: 50, mostMs: 1000, timesLook: 4 };
const reportedWithinMs = 8000;
const answersWithinMs = 30_000; // of a slow host's kube-apiserver that starts

/** What is not there yet, and what would help. */
type Wait = Parameters<SaysWait>;

/** Resolves with this node's pod addresses when kube-controller-manager has given it some. */
export function podCidr(
  options: OwnNodeOptions & { readonly clusterCidr: string },
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<string> {
  const { nodeName, clusterCidr } = options;
  const none: Wait = [
    'NoPodCIDR',
    `kube-controller-manager has not given ${nodeName} a range of pod addresses, as when ${clusterCidr} has none left; see 'kagent status' on the server, and take nodes that are gone out with 'kagent node rm NAME'`,
  ];
  return askUntil(options, ({ spec }) => spec.podCIDR ?? none, saysWait, signal);
}

/** Resolves when the API calls the node Ready. */
export async function nodeReady(options: OwnNodeOptions, saysWait: SaysWait, signal: AbortSignal): Promise<void> {
  const isReady = ({ status }: NodeObject): true | Wait => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True') return true;
    const why = ready?.message ?? 'the kubelet has not said anything of it yet';
    return ['NodeNotReady', `the API does not call ${options.nodeName} Ready: ${why}`];
  };
  await askUntil(options, isReady, saysWait, signal);
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
      const { object: node } = await get<NodeObject>(nodePath(options), signal);
      if (node === undefined || isShuttingDown(node) !== true) return;
      const { object: pods } = await get<PodListObject>(path, signal);
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
    const { object: list } = await get<PodListObject>(
      `${pods}?fieldSelector=${own}&labelSelector=k8s-app%3Dkube-dns`,
      signal,
    );
    if (list === undefined) return false;
    const older = list.items.filter(({ status }) => Date.parse(status?.startTime ?? '') < startedBeforeMs);
    const done = await Promise.all(older.map(({ metadata }) => remove(`${pods}/${metadata?.name ?? ''}`, signal)));
    return done.every(Boolean);
  });
}

/** Asks for the node until `look` finds something in it, and says what is missing. */
async function askUntil<T extends string | true>(
  options: OwnNodeOptions,
  look: (node: NodeObject) => T | Wait,
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<T> {
  const { apiserverUrl, nodeName } = options;
  return withCredentials(options, async (get) => {
    const ask = async () => {
      const answer = await get<NodeObject>(nodePath(options), signal);
      const found = answer.object === undefined ? waitFor(answer) : look(answer.object);
      if (!Array.isArray(found)) return found;
      saysWait(...found);
      return undefined;
    };
    const waitFor = ({ status, failure = '' }: Answer<NodeObject>): Wait => {
      if (status === undefined)
        return [
          'ApiserverAway',
          `kube-apiserver does not answer at ${apiserverUrl} (${failure}); see 'kagent status' on the server, and whether this box reaches its port`,
        ];
      if (status === 404)
        return ['NodeNotRegistered', `the kubelet has not registered the node ${nodeName}; its log says why`];
      return ['Refused', `kube-apiserver at ${apiserverUrl} refuses to show the node ${nodeName} (${status})`];
    };
    return lookUntil(ask, looks, signal);
  });
}

/** Of kube-apiserver: the object, or the status it refuses with, or why there is no answer. */
interface Answer<T> {
  readonly object?: T;
  readonly status?: number;
  readonly failure?: string;
}
type Get = <T>(path: string, signal: AbortSignal) => Promise<Answer<T>>;
/** @returns whether it is gone, or going */
type Remove = (path: string, signal: AbortSignal) => Promise<boolean>;

async function withCredentials<T>(options: OwnNodeOptions, work: (get: Get, remove: Remove) => Promise<T>): Promise<T> {
  const agent = httpsAgent({
    ca: readText(options.caPath),
    cert: readText(options.certPath),
    key: readText(options.keyPath),
  });
  const ask = async (method: 'GET' | 'DELETE', path: string, signal: AbortSignal) => {
    try {
      const url = `${options.apiserverUrl}${path}`;
      return { reply: await httpsRequest({ url, method, agent, timeoutMs: answersWithinMs }, signal) };
    } catch (error) {
      return { failure: systemCode(error) ?? messageOf(error) }; // kube-apiserver is not up, or not again
    }
  };
  try {
    return await work(
      async <Found>(path: string, signal: AbortSignal) => {
        const { reply, failure = '' } = await ask('GET', path, signal);
        if (reply === undefined) return { failure };
        return reply.status === 200 ? { object: JSON.parse(reply.body) as Found } : { status: reply.status };
      },
      async (path, signal) => [200, 202, 404].includes((await ask('DELETE', path, signal)).reply?.status ?? 0),
    );
  } finally {
    agent.destroy();
  }
}

function nodePath({ nodeName }: OwnNodeOptions): string {
  return `/api/v1/nodes/${nodeName}`;
}
