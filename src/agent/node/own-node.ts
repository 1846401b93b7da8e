import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';

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
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const askAgainMs = 50;

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

/** Asks for the node until `look` finds something in it. */
async function askUntil<T>(
  options: OwnNodeOptions,
  look: (node: NodeObject) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const agent = httpsAgent({
    ca: readFileSync(options.caPath, 'utf8'),
    cert: readFileSync(options.certPath, 'utf8'),
    key: readFileSync(options.keyPath, 'utf8'),
  });
  const url = `${options.apiserverUrl}/api/v1/nodes/${options.nodeName}`;
  const ask = async (): Promise<NodeObject | undefined> => {
    try {
      const { status, body } = await httpsRequest({ url, agent, timeoutMs: 5000 }, signal);
      return status === 200 ? (JSON.parse(body) as NodeObject) : undefined; // not registered, or not allowed, yet
    } catch {
      return undefined; // kube-apiserver is not up, or not again
    }
  };
  try {
    for (;;) {
      const node = await ask();
      const found = node === undefined ? undefined : look(node);
      if (found !== undefined) return found;
      await delay(askAgainMs, undefined, { signal });
    }
  } finally {
    agent.destroy();
  }
}
