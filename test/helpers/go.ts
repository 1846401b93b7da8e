/** Go programs that tests and benches run: each has a module of its own with a lock file, and is built once. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
/** Builds what the lock files say with the Go that is there. */
export const goEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  // Where a box has Go when nobody put it on the PATH.
  PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
});

export interface GoProgram {
  /** The module's folder, from the project's root. */
  readonly module: string;
  /** What to build of it; a pinned dependency's import path too. */
  readonly package?: string;
  readonly name?: string;
  /** Its tests, as one program, instead of its main function. */
  readonly isTest?: boolean;
  /** It holds C code, such as SQLite. */
  readonly needsC?: boolean;
}

export interface GoModule {
  /** Where Go has put its source, which nobody may write to. */
  readonly dir: string;
  readonly version: string;
}

/** @param pinnedIn the folder whose go.mod says which version */
export async function downloadModule(module: string, pinnedIn: string): Promise<GoModule> {
  const options = { cwd: resolve(root, pinnedIn), env: goEnvironment() };
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], options);
  const { Dir, Version } = JSON.parse(stdout) as { readonly Dir: string; readonly Version: string };
  return { dir: Dir, version: Version };
}

/** For a hook that builds: on a new machine Go downloads and compiles first. */
export const goBuildTimeoutMs = 600_000;

/** Go's own cache makes a second build quick. @returns the program's path, in `dist/test/bin` */
export async function buildGoProgram(program: GoProgram): Promise<string> {
  const name = program.name ?? basename(program.module);
  const out = resolve(root, 'dist/test/bin', name);
  await mkdir(resolve(out, '..'), { recursive: true });
  const verb = program.isTest === true ? ['test', '-c'] : ['build'];
  await promisify(execFile)('go', [...verb, '-mod=readonly', '-trimpath', '-o', out, program.package ?? '.'], {
    cwd: resolve(root, program.module),
    env: { ...goEnvironment(), CGO_ENABLED: program.needsC === true ? '1' : '0' },
    maxBuffer: 64 << 20,
  });
  return out;
}
