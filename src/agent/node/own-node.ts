import { setTimeout as delay } from 'node:timers/promises';
import type { SaysWait } from '../../shared/component/component.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { lookUntil } from '../../shared/look-until.ts';
import { createKubeClient, isNotFound, KubeError, readCredentials } from '../../kube/kube.ts';
import type { KubeClient, NodeAccess } from '../../kube/kube.ts';

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

/** What is not there yet, and what would help. */
type Wait = Parameters<SaysWait>;

/** Resolves with this node's pod addresses when kube-controller-manager has given it some. */
export function podCidr(
  options: NodeAccess & { readonly clusterCidr: string },
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<string> {
  const { nodeName, clusterCidr } = options;
  const none: Wait = [
    'NoPodCIDR',
    `kube-controller-manager has not given ${nodeName} a range of pod addresses, as when ${clusterCidr} has none left; see 'kagent status' on the server, and remove nodes that are gone with 'kagent node rm NAME'`,
  ];
  return askUntil(options, ({ spec }) => spec.podCIDR ?? none, saysWait, signal);
}

/** Resolves when the API calls the node Ready. */
export async function nodeReady(options: NodeAccess, saysWait: SaysWait, signal: AbortSignal): Promise<void> {
  const isReady = ({ status }: NodeObject): true | Wait => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True') return true;
    const why = ready?.message ?? 'the kubelet has not reported its state yet';
    return ['NodeNotReady', `the API does not call ${options.nodeName} Ready: ${why}`];
  };
  await askUntil(options, isReady, saysWait, signal);
}

/**
 * Resolves when every pod that the kubelet has ended for a shutdown is reported as ended: it lets the host go down a moment
 * before it has told the API. At once if it has ended none, and in any case after a few seconds.
 */
export async function podsReported(options: NodeAccess): Promise<void> {
  const signal = AbortSignal.timeout(reportedWithinMs);
  const isShuttingDown = ({ status }: NodeObject) =>
    status?.conditions?.some(({ type, message }) => type === 'Ready' && message?.includes('node is shutting down'));
  const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${options.nodeName}`)}`;
  await asKubelet(options, async (kube) => {
    for (;;) {
      if (isShuttingDown(await kube.get<NodeObject>(nodePath(options), signal)) !== true) return;
      const { items } = await kube.get<PodListObject>(path, signal);
      if (!items.some(({ status }) => status?.phase === 'Running')) return;
      await delay(4 * looks.leastMs, undefined, { signal }); // a list is more than one node
    }
  }).catch(() => {}); // the time is over, or the API has gone
}

/**
 * Ends the cluster's DNS Pods on this node that started before a moment: what they ask others is fixed when they start. Their
 * Deployment makes new ones. @returns whether kube-apiserver has done it
 */
export async function endDnsPods(options: NodeAccess, startedBeforeMs: number, signal: AbortSignal): Promise<boolean> {
  const own = encodeURIComponent(`spec.nodeName=${options.nodeName}`);
  const pods = '/api/v1/namespaces/kube-system/pods';
  const query = `fieldSelector=${own}&labelSelector=k8s-app%3Dkube-dns`;
  return asKubelet(options, async (kube) => {
    const list = await kube.get<PodListObject>(`${pods}?${query}`, signal);
    const older = list.items.filter(({ status }) => Date.parse(status?.startTime ?? '') < startedBeforeMs);
    await Promise.all(older.map(({ metadata }) => deleteIfThere(kube, `${pods}/${metadata?.name ?? ''}`, signal)));
    return true;
  }).catch(() => false); // it is asked again
}

async function deleteIfThere(kube: KubeClient, path: string, signal: AbortSignal): Promise<void> {
  try {
    await kube.delete(path, {}, signal);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Asks for the node until `look` finds something in it, and says what is missing. */
async function askUntil<T extends string | true>(
  options: NodeAccess,
  look: (node: NodeObject) => T | Wait,
  saysWait: SaysWait,
  signal: AbortSignal,
): Promise<T> {
  return asKubelet(options, async (kube) => {
    const ask = async () => {
      let found: T | Wait;
      try {
        found = look(await kube.get<NodeObject>(nodePath(options), signal));
      } catch (error) {
        signal.throwIfAborted();
        found = waitFor(options, error);
      }
      if (!Array.isArray(found)) return found;
      saysWait(...found);
      return undefined;
    };
    return lookUntil(ask, looks, signal);
  });
}

/** Why the node cannot be read. */
function waitFor({ apiserverUrl, nodeName }: NodeAccess, error: unknown): Wait {
  if (!(error instanceof KubeError)) {
    const failure = systemCode(error) ?? messageOf(error); // kube-apiserver is not up, or not again
    return [
      'ApiserverAway',
      `kube-apiserver does not answer at ${apiserverUrl} (${failure}); see 'kagent status' on the server, and whether this box reaches its port`,
    ];
  }
  if (error.status === 404)
    return ['NodeNotRegistered', `the kubelet has not registered the node ${nodeName}; its log says why`];
  return ['Refused', `kube-apiserver at ${apiserverUrl} refuses to show the node ${nodeName} (${error.status})`];
}

async function asKubelet<T>(
  { apiserverUrl, ...files }: NodeAccess,
  work: (kube: KubeClient) => Promise<T>,
): Promise<T> {
  const kube = createKubeClient({ url: apiserverUrl, credentials: () => readCredentials(files) });
  try {
    return await work(kube);
  } finally {
    kube.close();
  }
}

function nodePath({ nodeName }: NodeAccess): string {
  return `/api/v1/nodes/${nodeName}`;
}
