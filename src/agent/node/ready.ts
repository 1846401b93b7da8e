import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { httpsAgent, httpsRequest } from '../../shared/https/https.ts';

export interface NodeReadyOptions {
  readonly apiserverUrl: string;
  readonly nodeName: string;
  /** The kubelet's own credentials: a node may always look at itself. */
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
}

interface NodeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const askAgainMs = 100;

/** Resolves when the API calls the node Ready; asks until then. */
export async function nodeReady(options: NodeReadyOptions, signal: AbortSignal): Promise<void> {
  const agent = httpsAgent({
    ca: readFileSync(options.caPath, 'utf8'),
    cert: readFileSync(options.certPath, 'utf8'),
    key: readFileSync(options.keyPath, 'utf8'),
  });
  const url = `${options.apiserverUrl}/api/v1/nodes/${options.nodeName}`;
  const isReady = async (): Promise<boolean> => {
    try {
      const { status, body } = await httpsRequest({ url, agent, timeoutMs: 5000 }, signal);
      if (status !== 200) return false; // not registered yet, or not allowed yet
      const { conditions = [] } = (JSON.parse(body) as NodeObject).status ?? {};
      return conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    } catch {
      return false; // kube-apiserver is not up, or not again
    }
  };
  try {
    while (!(await isReady())) await delay(askAgainMs, undefined, { signal });
  } finally {
    agent.destroy();
  }
}
