import { createNodes } from '../helpers/cluster.ts';
import { shared } from '../helpers/shared.ts';

/** A Ready server, and the box `a1` beside it, which the first of these stories lets join. */
export const theCluster = shared(async () => {
  const nodes = await createNodes('server-and-agent', { agents: 0 });
  try {
    return { ...nodes, a1: await nodes.addBox('a1', 21) };
  } catch (error) {
    await nodes.wipe();
    throw error;
  }
});
