/** The commands of a server alone. `server` itself is in main.ts: it runs a node too. */
import { Command } from 'commander';
import { nodeCommand } from './node-commands.ts';
import { tokenCommand } from './token-commands.ts';
import { kubeconfigCommand } from './user-commands.ts';
import { serveCommand } from './datastore-serve.ts';
import { operatorCommands } from './datastore-commands.ts';
import { snapshotCommand } from './snapshot-commands.ts';

/** What an operator types on a server. */
export function serverCommands(): readonly Command[] {
  return [tokenCommand(), nodeCommand(), kubeconfigCommand(), datastoreCommand(), etcdSnapshotCommand()];
}

function datastoreCommand(): Command {
  const datastore = new Command('datastore').description("The cluster's etcd-compatible store");
  datastore.addCommand(serveCommand());
  for (const command of operatorCommands()) datastore.addCommand(command);
  return datastore;
}

/** k3s's name for `kagent datastore snapshot`. */
function etcdSnapshotCommand(): Command {
  return snapshotCommand('etcd-snapshot');
}
