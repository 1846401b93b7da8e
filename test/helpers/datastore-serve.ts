/** Runs the datastore as a process of its own: `node datastore-serve.ts DIR LISTEN…`; says `ready` on standard output. */
import { startDatastore } from '../../src/server/datastore.ts';

const [dir = '', ...listen] = process.argv.slice(2);

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

try {
  const datastore = await startDatastore({ dir, listen, onFatal: fail });
  process.once('SIGTERM', () => void datastore.stop().then(() => process.exit(0)));
  process.stdout.write('ready\n');
} catch (error) {
  fail(error);
}
