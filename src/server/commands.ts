/** The commands of a server alone. `server` itself is in main.ts: it runs a node too. */
import type { Command } from 'commander';
import { datastoreCommands } from '../datastore/commands.ts';
import { nodeCommand } from './node-commands.ts';
import { tokenCommand } from './token-commands.ts';
import { kubeconfigCommand } from './user-commands.ts';

/** What an operator types on a server. */
export function serverCommands(): readonly Command[] {
  return [tokenCommand(), nodeCommand(), kubeconfigCommand(), ...datastoreCommands()];
}
