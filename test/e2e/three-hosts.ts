import { createNodes } from '../helpers/cluster.ts';
import { shared } from '../helpers/shared.ts';

/** The stories are the same with upstream's 50 s. */
export const serverFlags = ['--kube-controller-manager-arg', 'node-monitor-grace-period=12s'];

/** A server and two agents. */
export const theCluster = shared(async () => {
  const nodes = await createNodes('three-hosts', { agents: 2, serverFlags });
  const readyAtMs = performance.now();
  const [a1, a2] = nodes.agents;
  if (a1 === undefined || a2 === undefined) throw new Error('there are no two agents');
  return { ...nodes, a1, a2, readyAtMs };
});
