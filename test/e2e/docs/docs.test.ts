/** What docs/ shows as typed is typed, line by line, on a server with an agent. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Nodes } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';

const docs = resolve(import.meta.dirname, '../../../docs');
let nodes: Nodes;
beforeAll(async () => {
  nodes = await createNodes('docs', { agents: 1 });
  // `kagent status` ends with 0 if all is ready, the cluster's DNS too.
  await eventually(async () => (await nodes.server.status()).isReady, { withinMs: 90_000, what: 'all of the server' });
});
afterAll(() => nodes?.wipe());

interface Typed {
  readonly command: string;
  /** The words of the line below it: the head of a table, somewhere in what is printed. */
  readonly head: readonly string[];
}

/** Every `$ …` of the blocks that are marked as `console`. */
function typedIn(file: string): readonly Typed[] {
  const text = readFileSync(resolve(docs, file), 'utf8');
  const lines = [...text.matchAll(/^```console\n([^]*?)^```/gm)].flatMap((block) => (block[1] ?? '').split('\n'));
  return lines.flatMap((line, index) => {
    if (!line.startsWith('$ ')) return [];
    const next = lines[index + 1] ?? '';
    return [{ command: line.slice(2).replaceAll('sudo ', ''), head: next.startsWith('$') ? [] : words(next) }];
  });
}
const words = (line: string) => line.split(/\s+/).filter((word) => word !== '');

describe.each(['quick-start.md', 'operations.md'])('docs/%s', (file) => {
  test.each(typedIn(file))('$command', async ({ command, head }) => {
    const output = await nodes.server.sh(`${command} 2>&1`); // throws with what was written unless it ends with 0
    const isHead = (line: string) => head.every((word) => words(line).includes(word));
    expect(output.split('\n').some(isHead), `${head.join(' ')} in:\n${output}`).toBe(true);
  });
});
