/** What docs/ shows as typed is typed, line by line, on a server with an agent, and prints what docs/ shows below it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasStarted } from '../../../src/host/daemon/daemon.ts';
import { isAsShown, typedIn } from '../../helpers/console.ts';
import { listNodes, untilNode } from '../../helpers/nodes.ts';
import { needs } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { theCluster } from '../server-and-agent.ts';

const docs = resolve(import.meta.dirname, '../../../docs');
beforeAll(async () => {
  const nodes = theCluster();
  const { server, a1 } = nodes;
  if (!(await a1.status().then(hasStarted, () => false))) await a1.startAgent(...(await nodes.joinFlags()));
  await untilNode(nodes, 'a1', { status: 'Ready', connected: true });
  // `kagent status` ends with 0 if all is ready, the cluster's DNS too.
  await eventually(async () => (await server.status()).isReady, { withinMs: 90_000, what: 'all of the server' });
  needs((await listNodes(server)).length === 2, 'a server and an agent');
  needs((await server.kubectl('get', 'pods,rolebindings', '-o', 'name')) === '', 'an empty namespace');
});

describe.each(['quick-start.md', 'operations.md'])('docs/%s', (file) => {
  // A page of its own each: no drain of the next one waits for pods of this one.
  afterAll(async () => {
    const { server } = theCluster();
    await server.kubectl('delete', 'deployment,replicaset', '--all', '--cascade=orphan');
    await server.kubectl('delete', 'pod', '--all', '--now');
  });

  test.each(typedIn(readFileSync(resolve(docs, file), 'utf8')))('$command', async ({ command, shown }) => {
    const output = await theCluster().server.sh(`{ ${command}\n} 2>&1`); // throws with what was written unless it ends with 0
    expect(isAsShown(shown, output), `shown:\n${shown.join('\n')}\n\nprinted:\n${output}`).toBe(true);
  });
});
