/** `kagent datastore serve` for tests that start it by the hundred: bundled as for a release, it starts in half the processor's time. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'tsup';
import type { Options } from 'tsup';
import { scripts } from '../../tsup.config.ts';

const root = resolve(import.meta.dirname, '../..');
const workers = ['datastore/store/writer-worker', 'datastore/etcd/datastore-worker'];

/** Modules: as in development a worker starts from a `.ts` file, which is one here. */
const modules: Options = {
  ...scripts,
  format: 'esm',
  outExtension: () => ({ js: '.mjs' }),
  banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(process.execPath);" },
};

/**
 * @param name of whoever asks: two at once do not share a folder
 * @returns the command, to which the datastore's flags are added
 */
export async function buildServe(name: string): Promise<readonly string[]> {
  const outDir = join(root, 'dist/test/serve', name);
  await mkdir(outDir, { recursive: true });
  // Beside each other as in src/, where one is found from the other: see host/assets/worker.ts.
  const script = 'host/assets/datastore-serve';
  await build({ ...modules, outDir, entry: { [script]: join(root, 'test/helpers/datastore-serve.ts') } });
  const entry = Object.fromEntries(workers.map((worker) => [worker, join(root, 'src', `${worker}.ts`)]));
  await build({ ...modules, outDir, entry, outExtension: () => ({ js: '.ts' }) });
  const compileCache = `NODE_COMPILE_CACHE=${join(outDir, 'compile-cache')}`;
  return ['env', compileCache, process.execPath, join(outDir, `${script}.mjs`)];
}
