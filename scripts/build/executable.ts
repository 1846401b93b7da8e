/**
 * Builds the one file: `node scripts/build/executable.ts [--arch x64] [--bundle FILE] [--slim]`.
 *
 *     src/ ─tsup─▶ dist/js ─┐
 *     Node, stripped ───────┼─node --build-sea─▶ dist/kagent-slim ─┐
 *     SQLite addon ─────────┘                    dist/bundle ──────┴─▶ dist/kagent
 *
 * The same sources give the same bytes.
 */
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'tsup';
import { addonAsset, fileAsset, installer, workerAsset } from '../../src/shared/assets/embedded.ts';
import { messageOf } from '../../src/shared/errors.ts';
import { mainScript, workerScripts } from '../../tsup.config.ts';
import { buildBundle, kagentVersion } from './bundle.ts';
import { concatenate } from './pack.ts';
import { run } from './run.ts';
import { onPath } from './tools.ts';

/**
 * A small young generation for a process that mostly rests (workers set their own), and shared/settle.ts's means. The code
 * cache is made with the same, or it would be refused.
 */
const v8Flags = ['--max-semi-space-size=2', '--expose-gc'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface ExecutableOptions {
  /** Has `main.ts`, and workers named `*-worker.ts` at any depth. */
  readonly sources: string;
  /** A Node of the version that runs this build, for the target's architecture. */
  readonly node: string;
  /** better-sqlite3's `.node` file for the target. */
  readonly addon: string;
  readonly version: string;
  /** RFC 3339. */
  readonly buildDate: string;
  readonly output: string;
}

/** Builds an executable without a bundle. */
export async function buildExecutable(options: ExecutableOptions): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'kagent-build-'));
  try {
    const scripts = await bundleJavaScript(options, join(work, 'js'));
    await strippedNode(options.node, join(work, 'node'));
    const assets: Record<string, string> = { [addonAsset]: options.addon };
    assets[fileAsset(installer)] = join(root, 'scripts', installer);
    for (const worker of scripts.workers) assets[workerAsset(worker)] = join('js', `${worker}.cjs`);
    for (const file of scripts.files) assets[fileAsset(file)] = join(options.sources, file);
    const config = {
      main: join('js', 'main.mjs'), // the path ends up in the executable: no folder of this machine in it
      mainFormat: 'module',
      executable: 'node',
      output: 'kagent',
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      execArgv: v8Flags,
      execArgvExtension: 'none', // NODE_OPTIONS is for the user's own programs
      assets,
    };
    await writeFile(join(work, 'sea.json'), JSON.stringify(config));
    // The code cache depends on random numbers of V8. With these fixed it is the same each time, and still accepted.
    await run(process.execPath, ['--random-seed=1', ...v8Flags, '--build-sea', 'sea.json'], { cwd: work });
    await chmod(join(work, 'kagent'), 0o755);
    await mkdir(dirname(options.output), { recursive: true });
    await copyFile(join(work, 'kagent'), `${options.output}.tmp-${process.pid}`); // a build folder may be on another file system
    await rename(`${options.output}.tmp-${process.pid}`, options.output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The executable with the components behind it: see src/shared/assets/format.ts. */
export async function appendBundle(executable: string, bundle: string, output: string): Promise<void> {
  await concatenate(output, 0o755, [executable, bundle]);
}

interface Scripts {
  /** Names as `startWorker` takes them. */
  readonly workers: readonly string[];
  /** Everything below the sources that is not TypeScript. */
  readonly files: readonly string[];
}

async function bundleJavaScript({ sources, version, buildDate }: ExecutableOptions, outDir: string): Promise<Scripts> {
  const found = await readdir(sources, { recursive: true, withFileTypes: true });
  const paths = found
    .filter((entry) => entry.isFile())
    .map((entry) => relative(sources, join(entry.parentPath, entry.name)));
  const workers = paths.filter((path) => path.endsWith('-worker.ts')).map((path) => path.slice(0, -'.ts'.length));
  const entries = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, join(sources, `${name}.ts`)]));
  const define = { KAGENT_VERSION: JSON.stringify(version), KAGENT_BUILD_DATE: JSON.stringify(buildDate) };
  await build({ ...mainScript, entry: entries(['main']), outDir, define });
  if (workers.length > 0) await build({ ...workerScripts, entry: entries(workers), outDir, define });
  return { workers: workers.toSorted(), files: paths.filter((path) => !path.endsWith('.ts')).toSorted() };
}

/** Symbols are a fifth of Node. To be done before anything is put in: afterwards it would break the executable. */
async function strippedNode(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  if (onPath('strip')) await run('strip', [to]);
}

async function buildDateOf(): Promise<string> {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const seconds = epoch ?? (await run('git', ['log', '-1', '--format=%ct'], { cwd: root }).catch(() => '0')).trim();
  return new Date(Number(seconds) * 1000).toISOString();
}

interface Options {
  readonly arch: string;
  readonly bundle: string | undefined;
  readonly slim: boolean;
}

async function make({ arch, bundle, slim }: Options): Promise<void> {
  const dist = join(root, 'dist');
  const executable = join(dist, 'kagent-slim');
  const components = slim ? undefined : (bundle ?? (await buildBundle({ arch, only: undefined })));
  await buildExecutable({
    sources: join(root, 'src'),
    node: join(root, 'node_modules', `node-linux-${arch}`, 'bin', 'node'),
    addon: join(root, 'node_modules', 'better-sqlite3', 'prebuilds', `linux-${arch}.node`),
    version: await kagentVersion(),
    buildDate: await buildDateOf(),
    output: executable,
  });
  await report(executable);
  if (components === undefined) return;
  await appendBundle(executable, components, join(dist, 'kagent'));
  await report(join(dist, 'kagent'));
}

/** @returns false after a failure, which was said on stderr */
export async function buildAll(options: Options): Promise<boolean> {
  try {
    await make(options);
    return true;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return false;
  }
}

async function report(path: string): Promise<void> {
  const { size } = await stat(path);
  process.stdout.write(`${relative(process.cwd(), path)}  ${Math.round(size / 2 ** 20)} MiB\n`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', default: process.arch },
      bundle: { type: 'string' },
      slim: { type: 'boolean', default: false },
    },
  });
  const isBuilt = await buildAll({ arch: values.arch, bundle: values.bundle, slim: values.slim });
  if (!isBuilt) process.exitCode = 1;
}
