/** The commands of a server alone. `server` itself is in main.ts: it runs a node too. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { duration } from '../shared/cli/cli.ts';
import { nodeCommand } from './node-commands.ts';
import { tokenCommand } from './token-commands.ts';
import { kubeconfigCommand } from './user-commands.ts';
import { runDatastoreServe } from './datastore.ts';
import { operatorCommands } from './datastore-commands.ts';
import { snapshotCommand } from './snapshot-commands.ts';
import type { ListenTls } from './etcd/etcd.ts';

interface ServeFlags {
  readonly dataDir: string;
  readonly listen: readonly string[];
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly trustedCaFile?: string;
  readonly watchProgressNotifyInterval?: number;
  readonly quotaBackendBytes?: number;
}

/** What an operator types on a server. */
export function serverCommands(): readonly Command[] {
  return [tokenCommand(), nodeCommand(), kubeconfigCommand(), datastoreCommand(), etcdSnapshotCommand()];
}

function datastoreCommand(): Command {
  const datastore = new Command('datastore').description("The cluster's etcd-compatible store");
  datastore
    .command('serve')
    .description('Run the store alone')
    .requiredOption('--data-dir <dir>', 'where its files are')
    .requiredOption(
      '--listen <url>',
      'unix://PATH, http://127.0.0.1:PORT or https://HOST:PORT; may be given several times',
      collect,
      [],
    )
    .option('--cert-file <file>', 'certificate for https, in PEM')
    .option('--key-file <file>', 'its private key')
    .option('--trusted-ca-file <file>', 'clients must show a certificate that this CA signed')
    .option('--quota-backend-bytes <bytes>', 'what the file may use before writes are refused (2 GiB)', bytes)
    .option('--watch-progress-notify-interval <time>', 'between the progress reports of an idle watch (10m)', duration)
    .action(async ({ dataDir, listen, ...flags }: ServeFlags) => {
      const stop = new AbortController();
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
      const { watchProgressNotifyInterval: progressIntervalMs, quotaBackendBytes: quotaBytes = 0 } = flags;
      const tls = await readTls(flags);
      const options = {
        dir: dataDir,
        listen,
        quotaBytes,
        ...(tls && { tls }),
        ...(progressIntervalMs && { progressIntervalMs }),
      };
      await runDatastoreServe(options, stop.signal);
    });
  for (const command of operatorCommands()) datastore.addCommand(command);
  return datastore;
}

/** k3s's name for `kagent datastore snapshot`. */
function etcdSnapshotCommand(): Command {
  return snapshotCommand('etcd-snapshot');
}

type TlsFlags = Pick<ServeFlags, 'certFile' | 'keyFile' | 'trustedCaFile'>;

async function readTls({ certFile, keyFile, trustedCaFile }: TlsFlags): Promise<ListenTls | undefined> {
  if (certFile === undefined || keyFile === undefined) return undefined;
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return trustedCaFile === undefined ? { cert, key } : { cert, key, trustedCa: await readFile(trustedCaFile, 'utf8') };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function bytes(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is no number of bytes.');
  return Number(text);
}
