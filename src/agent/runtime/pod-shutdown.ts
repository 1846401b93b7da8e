import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { criAt } from './cri.ts';
import type { Cri, RunningContainer } from './cri.ts';

export interface PodShutdownOptions {
  readonly socketPath: string;
  /** Of which the last part is for critical pods. */
  readonly grace: { readonly totalSeconds: number; readonly criticalSeconds: number };
  readonly log: Log;
}

/** What a container's end takes beyond its grace: the signal, the hooks' start, the network's end. */
const marginMs = 5000;

/**
 * Ends every pod as it asks, since the host goes down and the kubelet, which is stopped already, did not: first those of
 * users, then the system's. What has not ended in time is left to the host.
 */
export async function shutDownPods({ socketPath, grace, log }: PodShutdownOptions): Promise<void> {
  const cri = criAt(socketPath, AbortSignal.timeout(grace.totalSeconds * 1000 + marginMs));
  try {
    const containers = await cri.runningContainers();
    if (containers.length === 0) return;
    log.info('ending pods, since the host goes down', { containers: containers.length });
    const [critical, others] = [containers.filter(isCritical), containers.filter((one) => !isCritical(one))];
    await endContainers(cri, others, grace.totalSeconds - grace.criticalSeconds);
    await endContainers(cri, critical, grace.criticalSeconds);
    await Promise.allSettled((await cri.readySandboxes()).map((id) => cri.stopSandbox(id)));
  } catch (error) {
    log.warn('not all pods were ended before the host goes down', { error: messageOf(error) });
  }
}

/** Without the API their priority is not known; critical ones belong to the cluster, and are where it has its own. */
function isCritical({ namespace }: RunningContainer): boolean {
  return namespace === 'kube-system';
}

async function endContainers(cri: Cri, containers: readonly RunningContainer[], seconds: number): Promise<void> {
  await Promise.allSettled(containers.map((container) => endContainer(cri, container, seconds)));
}

/** The hook and the signal share the time, as the kubelet has it. */
async function endContainer(cri: Cri, { id, graceSeconds, preStop }: RunningContainer, seconds: number): Promise<void> {
  const startedMs = performance.now();
  const allowed = Math.min(graceSeconds, seconds);
  if (preStop.length > 0 && allowed > 0) await cri.execSync(id, preStop, allowed).catch(() => {}); // failed: it ends all the same
  const spent = Math.floor((performance.now() - startedMs) / 1000);
  await cri.stopContainer(id, Math.max(allowed - spent, 0));
}
