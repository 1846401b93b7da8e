/**
 * Libraries that some commands load, by `import('name')`: scripts of their own in the executable. V8 keeps a script's text for as long
 * as the thread lives; what is not loaded takes no memory so.
 */
import { fileURLToPath } from 'node:url';
import type { Options } from 'tsup';

const names = ['@peculiar/x509', 'node-forge', 're2js'];

/** Of the executable, and of the script below the folder of all. */
const scriptOf = (name: string) => `library/${name}`;
export const libraryScripts = names.map(scriptOf);

/** By script: the file it begins with. */
export function libraryEntries(): Record<string, string> {
  return Object.fromEntries(names.map((name) => [scriptOf(name), fileURLToPath(import.meta.resolve(name))]));
}

const takeFromExecutable = (script: string) => `
  const { compileFunction } = require('node:vm');
  const text = require('node:sea').getAsset('${script}', 'utf8');
  compileFunction(text, ['module', 'exports', 'require'], { filename: '${script}' })(module, exports, require);
`;

/** Has scripts take these libraries from the executable. */
export const fromExecutable: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'libraries',
  setup(build) {
    build.onResolve({ filter: /^[^.]/ }, ({ kind, path }) =>
      kind === 'dynamic-import' && names.includes(path) ? { path: scriptOf(path), namespace: 'executable' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'executable' }, ({ path }) => ({ contents: takeFromExecutable(path) }));
  },
};
