/** What docs/ shows as typed is typed, line by line, on a server with an agent, and prints what docs/ shows below it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Nodes } from '../../helpers/cluster.ts';
import { isAsShown, typedIn } from '../../helpers/console.ts';
import { eventually } from '../../helpers/wait.ts';

const docs = resolve(import.meta.dirname, '../../../docs');
let nodes: Nodes;
beforeAll(async () => {
  nodes = await createNodes('docs', { agents: 1 });
  // `kagent status` ends with 0 if all is ready, the cluster's DNS too.
  await eventually(async () => (await nodes.server.status()).isReady, { withinMs: 90_000, what: 'all of the server' });
});
afterAll(() => nodes?.wipe());

describe.each(['quick-start.md', 'operations.md'])('docs/%s', (file) => {
  test.each(typedIn(readFileSync(resolve(docs, file), 'utf8')))('$command', async ({ command, shown }) => {
    const output = await nodes.server.sh(`{ ${command}\n} 2>&1`); // throws with what was written unless it ends with 0
    expect(isAsShown(shown, output), `shown:\n${shown.join('\n')}\n\nprinted:\n${output}`).toBe(true);
  });
});
