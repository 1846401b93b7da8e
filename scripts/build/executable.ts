/**
 * Builds the one file: `node scripts/build/executable.ts [--arch arm64] [--bundle FILE] [--slim]`.
 *
 *     src/ ─tsup─▶ dist/js ─┐
 *     Node, stripped ───────┼─node --build-sea─▶ dist/kagent-slim ─┐
 *     SQLite addon ─────────┤                                      ├─▶ dist/kagent
 *     dist/bundle's sha256 ─┘                    dist/bundle ──────┘
 *
 * The same sources give the same bytes. For another kind of processor `dist` is `dist/arm64`.
 */
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'tsup';
import { addonAsset, fileAsset, installer, neededAsset, workerAsset } from '../../src/host/assets/embedded.ts';
import type { NeededBundle } from '../../src/host/assets/needed.ts';
import { messageOf } from '../../src/shared/errors.ts';
import { scripts } from '../../tsup.config.ts';
import { buildBundle, distOf, kagentVersion } from './bundle.ts';
import { defaultCacheDir, hashOfFile, openCache } from './cache.ts';
import { dateOfCommit } from './commit.ts';
import { fitLargePages } from './elf.ts';
import { fromExecutable, libraryEntries, libraryScripts } from './libraries.ts';
import { nodeFor } from './node.ts';
import { concatenate } from './pack.ts';
import { run } from './run.ts';
import { targetOf } from './target.ts';
import type { Target } from './target.ts';
import { onPath } from './tools.ts';

/**
 * A small young generation for a process that mostly rests (workers set their own), and shared/settle.ts's means. The code
 * cache is made with the same, or it would be refused.
 */
const v8Flags = ['--max-semi-space-size=2', '--expose-gc', '--disable-warning=ExperimentalWarning'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface ExecutableOptions {
  readonly target: Target;
  /** Has `main.ts`, and workers named `*-worker.ts` at any depth. */
  readonly sources: string;
  /** A Node of the version that runs this build, for the target's architecture. */
  readonly node: string;
  /** better-sqlite3's `.node` file for the target. */
  readonly addon: string;
  readonly version: string;
  /** RFC 3339. */
  readonly buildDate: string;
  /** The components it is made for, which a slim one may fetch. */
  readonly bundle: NeededBundle | undefined;
  readonly output: string;
}

/** Builds an executable without a bundle. */
export async function buildExecutable(options: ExecutableOptions): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'kagent-build-'));
  try {
    const bundled = await bundleJavaScript(options, join(work, 'js'));
    await strippedNode(options, join(work, 'node'));
    await writeFile(join(work, 'bundle.json'), JSON.stringify(options.bundle ?? null));
    const assets: Record<string, string> = { [addonAsset]: options.addon, [neededAsset]: 'bundle.json' };
    assets[fileAsset(installer)] = join(root, 'scripts', installer);
    for (const worker of bundled.workers) assets[workerAsset(worker)] = join('js', `${worker}.cjs`);
    for (const library of libraryScripts) assets[library] = join('js', `${library}.cjs`);
    for (const file of bundled.files) assets[fileAsset(file)] = join(options.sources, file);
    const config = {
      main: join('js', 'main.cjs'), // the path ends up in the executable: no folder of this machine in it
      executable: 'node',
      output: 'kagent',
      disableExperimentalSEAWarning: true,
      useCodeCache: !options.target.isForeign, // only the Node that runs it can make it (docs/decisions/0013-arm64.md)
      execArgv: v8Flags,
      execArgvExtension: 'none', // NODE_OPTIONS is for the user's own programs
      assets,
    };
    await writeFile(join(work, 'sea.json'), JSON.stringify(config));
    // The code cache depends on random numbers of V8. With these fixed it is the same each time, and still accepted.
    await run(process.execPath, ['--random-seed=1', ...v8Flags, '--build-sea', 'sea.json'], { cwd: work });
    if (options.target.arch === 'arm64') await fitLargePages(join(work, 'kagent'));
    await chmod(join(work, 'kagent'), 0o755);
    await mkdir(dirname(options.output), { recursive: true });
    await copyFile(join(work, 'kagent'), `${options.output}.tmp-${process.pid}`); // a build folder may be on another file system
    await rename(`${options.output}.tmp-${process.pid}`, options.output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The executable with the components behind it: see src/host/assets/format.ts. */
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
  await build({ ...scripts, esbuildPlugins: [fromExecutable], entry: entries(['main', ...workers]), outDir, define });
  await build({ ...scripts, entry: libraryEntries(), outDir });
  for (const name of ['main', ...workers, ...libraryScripts]) await checkAscii(join(outDir, `${name}.cjs`));
  return { workers: workers.toSorted(), files: paths.filter((path) => !path.endsWith('.ts')).toSorted() };
}

/** One other character, and V8 keeps the whole text with two bytes for each. */
async function checkAscii(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.findIndex((byte) => byte > 0x7f);
  if (at >= 0) throw new Error(`${path} is not ASCII, near: ${bytes.toString('utf8', Math.max(0, at - 60), at + 20)}`);
}

/** Symbols are a fifth of Node. To be done before anything is put in: afterwards it would break the executable. */
async function strippedNode({ node, target }: ExecutableOptions, to: string): Promise<void> {
  await copyFile(node, to);
  if (onPath(target.strip)) await run(target.strip, [to]);
}

async function buildDateOf(): Promise<string> {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const seconds = epoch ?? (await run('git', dateOfCommit, { cwd: root }).catch(() => '0')).trim();
  return new Date(Number(seconds) * 1000).toISOString();
}

export interface BuildOptions {
  readonly target: Target;
  /** A bundle that is there already. */
  readonly bundle: string | undefined;
  readonly slim: boolean;
  readonly version: string;
  /** Where the release's files of this version will be. */
  readonly address: string | undefined;
  readonly out: string;
}

async function make(options: BuildOptions): Promise<void> {
  const { target, bundle, slim, version, out } = options;
  const executable = join(out, 'kagent-slim');
  const components = slim ? undefined : (bundle ?? (await buildBundle({ target, only: undefined, version, out })));
  await buildExecutable({
    target,
    sources: join(root, 'src'),
    node: await nodeFor(target, await openCache(defaultCacheDir)),
    addon: addonFor(target),
    version,
    buildDate: await buildDateOf(),
    bundle: components === undefined ? undefined : await neededBundle(components, options),
    output: executable,
  });
  await report(executable);
  if (components === undefined) return;
  await appendBundle(executable, components, join(out, 'kagent'));
  await report(join(out, 'kagent'));
}

/** better-sqlite3's npm package has it for every architecture. */
export function addonFor({ arch }: Target): string {
  return join(root, 'node_modules', 'better-sqlite3', 'prebuilds', `linux-${arch}.node`);
}

async function neededBundle(path: string, { address, target }: BuildOptions): Promise<NeededBundle> {
  const [sha256, { size }] = await Promise.all([hashOfFile(path), stat(path)]);
  return { sha256, sizeBytes: size, ...(address === undefined ? {} : { url: `${address}/bundle-${target.name}` }) };
}

/** @returns false after a failure, which was said on stderr */
export async function buildAll(options: BuildOptions): Promise<boolean> {
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
  const target = targetOf(values.arch);
  const { bundle, slim } = values;
  const version = await kagentVersion();
  const isBuilt = await buildAll({ target, bundle, slim, version, address: undefined, out: distOf(target) });
  if (!isBuilt) process.exitCode = 1;
}
