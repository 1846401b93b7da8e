/**
 * @module
 * What is said about commands, out of their tree: man pages, docs/commands.md, the examples of `--help`.
 * Knows: commander's tree, roff, Markdown. Leaves to others: the commands.
 */
import type { Command } from 'commander';
import { examples } from './examples.ts';

/** Each command's examples at the end of its help. */
export function addExamples(command: Command, path: readonly string[] = []): void {
  for (const child of command.commands) addExamples(child, [...path, child.name()]);
  const lines = (examples[path.join(' ')] ?? []).map(([line, about]) => `  ${line}\n      ${about}`);
  if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

export { manCommand } from './man-command.ts';
export { examples } from './examples.ts';
export { describe, type Entry } from './entry.ts';
export { manPages } from './roff.ts';
