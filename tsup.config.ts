import { defineConfig } from 'tsup';
import type { Options } from 'tsup';

/** What both kinds of script have in common: one file per thread, with everything it imports inside. */
const common: Options = {
  platform: 'node',
  target: 'node26',
  outDir: 'dist/js',
  config: false,
  clean: false,
  splitting: false,
  shims: true,
  noExternal: [/./],
  external: ['bufferutil', 'utf-8-validate'], // ws tries these native helpers and does without
  removeNodeProtocol: false, // `sea` and others have no name without it
  silent: true,
};

// In an executable `require` knows built-in modules only; this one loads native addons too.
const requireFiles = "require = process.getBuiltinModule('node:module').createRequire(process.execPath);";

/** The main thread: a module, so that it may await at its top. */
export const mainScript: Options = {
  ...common,
  entry: ['src/main.ts'],
  format: 'esm',
  outExtension: () => ({ js: '.mjs' }),
  banner: { js: `const ${requireFiles}` },
};

/** Worker threads: CommonJS, because that is what a worker started from text is. */
export const workerScripts: Options = {
  ...common,
  entry: ['src/**/*-worker.ts'],
  format: 'cjs',
  outExtension: () => ({ js: '.cjs' }),
  banner: { js: `var ${requireFiles}` },
};

export default defineConfig([mainScript, workerScripts]);
