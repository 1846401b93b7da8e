/** `kagent datastore serve` without the rest of kagent, which takes longer to load: for tests that start it often. */
import { serveCommand } from '../../src/datastore/serve.ts';

await serveCommand().parseAsync();
