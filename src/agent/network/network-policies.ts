import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod';
import type { ComponentName } from '../../shared/component/component.ts';
import { runPaths } from '../../shared/paths.ts';
import { childEnvironment, nodeProcess, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import { run } from '../../host/run.ts';
import type { HostFacts } from '../../host/checks/checks.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { bridgeName } from './cni.ts';

const name = 'network-policies';

/** In the folder of programs. */
export const policiesProgram = name;

/** As `nft` calls them. */
export const policyTables = ['ip kagent-netpol', 'ip6 kagent-netpol'] as const;

export interface NetworkPoliciesOptions {
  readonly after: readonly ComponentName[];
  readonly supervisor: Supervisor;
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly binDir: string;
  readonly kubeconfigPath: string;
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
}

/**
 * Has this node's pods reach, and be reached by, what NetworkPolicies allow (components/kubernetes/networkpolicies), unless the
 * cluster enforces none, as its rights at the API tell it. Ready when those that there are are in force; from then on it says so
 * where the kernel cannot.
 */
export function networkPoliciesComponent(options: NetworkPoliciesOptions) {
  const { binDir, facts, settings } = options;
  return processComponent({
    name,
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => ({
      partOf: { process: nodeProcess, after: [] },
      command: join(binDir, name),
      args: [
        `--kubeconfig=${options.kubeconfigPath}`,
        `--node-name=${facts.nodeName}`,
        `--state-dir=${runPaths.networkPolicies}`,
        // Another network's pods may be on any device, and have addresses of IPv6.
        ...(settings.flannelBackend === 'none' ? [] : [`--bridge=${bridgeName}`]),
      ],
      env: childEnvironment(nodeProcess.name, { path: binDir, direct: options.direct }),
      ready: (signal) => askNetworkPolicies('ready', signal),
      live: (signal) => askNetworkPolicies('live', signal),
      stopTimeoutMs: 5000,
      backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
    }),
  });
}

/**
 * By the program that has made them: `nft` is on few small hosts.
 * @returns false if there are none
 */
export async function removePolicyRules(program: string): Promise<boolean> {
  const dir = runPaths.networkPolicies;
  if (!existsSync(dir)) return false;
  await run(program, ['--remove', `--state-dir=${dir}`], { timeoutMs: 30_000 });
  return true;
}

/** Where the CNI plugin and kagent ask. */
export const networkPoliciesSocket = join(runPaths.networkPolicies, 'socket');

const Reply = z.object({ error: z.string().optional() });

/** Rejects with what it says, or with the system's error. */
export function askNetworkPolicies(
  question: 'ready' | 'live',
  signal: AbortSignal,
  socketPath = networkPoliciesSocket,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ path: socketPath, signal });
  let text = '';
  socket.setEncoding('utf8');
  socket.on('connect', () => socket.write(`${JSON.stringify({ ask: question })}\n`));
  socket.on('data', (data) => (text += String(data)));
  socket.on('error', reject);
  socket.on('end', () => {
    try {
      const { error } = Reply.parse(JSON.parse(text));
      if (error === undefined) resolve();
      else reject(new Error(error));
    } catch (error) {
      reject(new Error(`no answer: ${text}`, { cause: error }));
    }
  });
  socket.on('close', () => reject(new Error('no answer')));
  return promise.finally(() => socket.destroy());
}
