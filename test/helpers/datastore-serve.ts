/** `kagent datastore serve` without the rest of kagent, which takes longer to load: for tests that start it often. */
import { parseArgs } from 'node:util';
import { startDatastore } from '../../src/server/datastore.ts';

const { values } = parseArgs({
  options: { 'data-dir': { type: 'string', default: '' }, listen: { type: 'string', multiple: true, default: [] } },
});

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

try {
  const datastore = await startDatastore({ dir: values['data-dir'], listen: values.listen, onFatal: fail });
  process.once('SIGTERM', () => void datastore.stop().then(() => process.exit(0)));
} catch (error) {
  fail(error);
}
