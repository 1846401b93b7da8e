import { hasStarted } from '../../src/host/daemon/daemon.ts';
import { boxState } from '../helpers/box-state.ts';
import { createBox } from '../helpers/cluster.ts';
import type { Box, Running } from '../helpers/cluster.ts';
import { podsOf } from '../helpers/nodes.ts';
import { shared } from '../helpers/shared.ts';
import { eventually } from '../helpers/wait.ts';
import { manifest } from './workloads/manifests.ts';

/** The box of these stories, and what it was like before anything of kagent had run on it. */
export const theBox = shared(async () => {
  const box = await createBox('server-in-use');
  try {
    return { ...box, untouched: await boxState(box) };
  } catch (error) {
    await box.wipe();
    throw error;
  }
});

/** A server that runs, and three pods of `web` that answer at `clusterIp`; none of them is on its way out. */
export interface InUse {
  readonly server: Running;
  readonly clusterIp: string;
}

/** Makes of the box what is in use, whatever the story before has left. */
export async function putToUse(box: Box): Promise<InUse> {
  const isUp = await box.status().then(hasStarted, () => false);
  const server = isUp ? box.running() : await box.startServer();
  await box.apply(manifest('web'));
  await box.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  await eventually(async () => (await podsOf(box, 'app=web')).length === 3, { withinMs: 30_000, what: 'three pods' });
  await box.kubectl('wait', 'pod', '--all', '-A', '--for=condition=Ready', '--timeout=60s');
  const clusterIp = await box.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  return { server, clusterIp };
}
