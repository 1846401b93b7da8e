import { defineConfig } from 'tsup';
import type { Options } from 'tsup';

/**
 * One file per thread, with everything it imports inside. CommonJS: a worker started from text is, and a module that imports a part
 * of Node gets all of its exports at once, Node's own undici among them, which is a megabyte and a half that nobody uses.
 */
export const scripts: Options = {
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  outDir: 'dist/js',
  config: false,
  clean: false,
  splitting: false,
  shims: true,
  noExternal: [/./],
  external: ['bufferutil', 'utf-8-validate'], // ws tries these native helpers and does without
  removeNodeProtocol: false, // `sea` and others have no name without it
  silent: true,
  outExtension: () => ({ js: '.cjs' }),
  // In an executable `require` knows built-in modules only; this one loads native addons too.
  banner: { js: "var require = process.getBuiltinModule('node:module').createRequire(process.execPath);" },
  esbuildOptions(options) {
    // V8 keeps the text for as long as the thread lives. Without comments and indentation it is two thirds of it, and still has
    // names and lines of its own for the stack of an error; and it is ASCII, which takes one byte a character instead of two.
    options.minifyWhitespace = true;
    options.minifySyntax = true;
    options.lineLimit = 160;
    options.legalComments = 'none'; // they are in NOTICES.txt
  },
};

export default defineConfig({ ...scripts, entry: ['src/main.ts', 'src/**/*-worker.ts'] });
