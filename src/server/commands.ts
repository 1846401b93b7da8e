/** The commands of a server alone. `server` itself is in main.ts: it runs a node too. */
import { Command } from 'commander';
import { runDatastoreServe } from './datastore.ts';

export function datastoreCommand(): Command {
  const datastore = new Command('datastore').description("The cluster's etcd-compatible store");
  datastore
    .command('serve')
    .description('Run the store alone')
    .requiredOption('--data-dir <dir>', 'where its files are')
    .requiredOption('--listen <url>', 'unix://PATH or http://127.0.0.1:PORT; may be given several times', collect, [])
    .action(async (options: { readonly dataDir: string; readonly listen: readonly string[] }) => {
      const stop = new AbortController();
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
      await runDatastoreServe(options, stop.signal);
    });
  return datastore;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
