/** `kagent datastore serve`: the store without the rest of kagent, for who has an etcd to replace, and for tests. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { duration, collected } from '../cli/cli.ts';
import { settleAfterStart } from '../shared/settle.ts';
import { startDatastore } from './threads.ts';
import type { DatastoreOptions } from './threads.ts';
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

export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the datastore alone')
    .requiredOption('--data-dir <dir>', 'where its files are')
    .requiredOption(
      '--listen <url>',
      'unix://PATH, http://127.0.0.1:PORT or https://HOST:PORT; may be given several times',
      collected,
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
}

type TlsFlags = Pick<ServeFlags, 'certFile' | 'keyFile' | 'trustedCaFile'>;

async function readTls({ certFile, keyFile, trustedCaFile }: TlsFlags): Promise<ListenTls | undefined> {
  if (certFile === undefined || keyFile === undefined) return undefined;
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return trustedCaFile === undefined ? { cert, key } : { cert, key, trustedCa: await readFile(trustedCaFile, 'utf8') };
}

function bytes(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a number of bytes.');
  return Number(text);
}

/** Until `signal`. @throws when the store fails */
async function runDatastoreServe(options: Omit<DatastoreOptions, 'onFatal'>, signal: AbortSignal): Promise<void> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const datastore = await startDatastore({ ...options, onFatal: reject });
  settleAfterStart();
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([aborted, failed]);
  await datastore.stop();
}
