/**
 * Builds the components and packs them into `dist/bundle`: `node scripts/build/bundle.ts [--only NAME,…] [--arch arm64]`.
 *
 *     components/* ─▶ programs ─┬───────────▶ dist/components/{bin,cni}
 *     pause.c, busybox ────────┴─▶ images ─▶ dist/components/images
 *                                     all of them ─zstd─▶ blobs ─▶ dist/bundle
 *
 * Each result is in the user's cache, found by the hash of what it is made from. With `--only` it stops at programs. What
 * is for another kind of processor goes to a folder of its own below `dist`.
 */
import { chmod, copyFile, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/shared/errors.ts';
import { libraryApart } from './host-tools.ts';
import { defaultCacheDir, hashOf, openCache } from './cache.ts';
import type { Cache } from './cache.ts';
import { npmParts } from './npm.ts';
import { compressFile, kept, writeBundle } from './pack.ts';
import type { Blob, PackFile } from './pack.ts';
import { makePlan } from './plan.ts';
import type { Artefact, Plan, Producer } from './plan.ts';
import { runSteps } from './progress.ts';
import type { Step } from './progress.ts';
import { notices, sbom } from './sbom.ts';
import type { Document } from './sbom.ts';
import { targetOf } from './target.ts';
import type { Target } from './target.ts';
import { requireTools } from './tools.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder of what is built: `dist`, or below it for another kind of processor. */
export function distOf({ isForeign, name }: Target): string {
  return isForeign ? join(root, 'dist', name) : join(root, 'dist');
}

export interface BundleOptions {
  readonly target: Target;
  readonly only: readonly string[] | undefined;
  /** Of kagent: what the bundle says it belongs to. */
  readonly version: string;
  /** Where the bundle and the texts about it go. */
  readonly out: string;
}

/** @returns the path of the bundle, unless `only` some components were asked for */
export async function buildBundle(options: BundleOptions): Promise<string | undefined> {
  const { target, only } = options;
  await requireTools(['go', 'cc'], target); // their versions are part of every key
  const cache = await openCache(defaultCacheDir);
  const plan = await makePlan({ components: join(root, 'components'), target, cache, only });
  const compressors = only === undefined ? plan.artefacts.map((artefact) => compressor(cache, artefact)) : [];
  const producers = [...plan.producers, ...compressors];
  const steps = await Promise.all(producers.map((producer) => stepOf(cache, producer)));
  const missing = producers.filter((_, index) => steps[index]?.cached === false);
  await requireTools(
    missing.flatMap(({ tools }) => tools),
    target,
  );

  let bundle: string | undefined;
  const copy: Step = {
    name: 'dist',
    cached: false,
    estimateMs: 1000,
    run: () => fillDist(cache, plan, distOf(target)),
  };
  const pack: Step = {
    name: 'bundle',
    cached: false,
    estimateMs: 2000,
    run: async () => {
      bundle = await packBundle(cache, plan, options);
    },
  };
  await runSteps([...steps, copy, ...(only === undefined ? [pack] : [])], process.stdout);
  await cache.prune();
  return bundle;
}

async function stepOf(cache: Cache, producer: Producer): Promise<Step> {
  const { name, estimateMs } = producer;
  const run = async () => {
    await cache.entry(producer);
  };
  return { name, cached: await cache.has(producer), estimateMs: cache.durationMs(name) ?? estimateMs, run };
}

function compressor(cache: Cache, { producer, file }: Artefact): Producer {
  return {
    name: `${file}.zst`,
    key: hashOf([producer.name, producer.key, file, kept]),
    estimateMs: file === 'hyperkube' ? 40_000 : 4000,
    tools: [],
    build: async (dir) => {
      const source = join(await cache.entry(producer), file);
      await writeFile(join(dir, 'blob.json'), JSON.stringify(await compressFile(source, join(dir, 'blob'), kept)));
    },
  };
}

/** The programs as files, for development and tests. */
async function fillDist(cache: Cache, plan: Plan, dist: string): Promise<void> {
  const components = join(dist, 'components');
  for (const { producer, file, path, mode } of plan.artefacts) {
    const dir = await cache.entry(producer);
    await copyIfChanged(join(dir, file), join(components, path), mode);
  }
  for (const { path, target } of plan.links) {
    await mkdir(dirname(join(components, path)), { recursive: true });
    await rm(join(components, path), { force: true });
    await symlink(target, join(components, path));
  }
}

/** By rename: a program that runs right now keeps its file. */
async function copyIfChanged(from: string, to: string, mode: number): Promise<void> {
  const [source, target] = await Promise.all([stat(from), stat(to).catch(() => undefined)]);
  if (target?.size === source.size && Math.abs(target.mtimeMs - source.mtimeMs) < 1) return;
  await mkdir(dirname(to), { recursive: true });
  const temporary = `${to}.tmp-${process.pid}`;
  await copyFile(from, temporary);
  await chmod(temporary, mode);
  await utimes(temporary, source.atime, source.mtime);
  await rename(temporary, to);
}

async function packBundle(cache: Cache, plan: Plan, options: BundleOptions): Promise<string> {
  const { target, version: kagent, out } = options;
  const { arch } = target;
  await mkdir(out, { recursive: true });
  const files = await Promise.all(plan.artefacts.map((artefact) => packed(cache, artefact)));
  const texts = await writeTexts(await documentOf(plan, kagent, arch), kagent, out);
  const path = join(out, 'bundle');
  await writeBundle(path, {
    kagent,
    arch,
    frameSizeBytes: kept.frameSizeBytes,
    components: plan.components.map(({ name, version, licence }) => ({ name, version, licence })),
    files: [...files, ...texts],
    links: plan.links,
  });
  await putApart(cache, plan, out);
  return path;
}

/** What a release has as a file of its own as well: a box on which the executable does not run cannot unpack it. */
async function putApart(cache: Cache, plan: Plan, out: string): Promise<void> {
  for (const { producer, file, path, mode } of plan.artefacts) {
    if (path === libraryApart) await copyIfChanged(join(await cache.entry(producer), file), join(out, file), mode);
  }
}

async function packed(cache: Cache, artefact: Artefact): Promise<PackFile & Blob> {
  const { producer, file, ...rest } = artefact;
  const dir = await cache.entry(compressor(cache, artefact));
  const blob = JSON.parse(await readFile(join(dir, 'blob.json'), 'utf8')) as Omit<Blob, 'blob'>;
  const source = join(await cache.entry(producer), file);
  return { ...rest, ...blob, source, blob: join(dir, 'blob') };
}

async function documentOf(plan: Plan, kagent: string, arch: string): Promise<Document> {
  const components = await Promise.all(
    plan.components.map(async ({ name, version, licence, parts }) => ({
      name,
      version,
      licence,
      parts: await parts(),
    })),
  );
  const own = { name: 'kagent-executable', version: kagent, licence: 'Apache-2.0', parts: await npmParts(root) };
  const created = new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? 0) * 1000).toISOString().replace('.000Z', 'Z');
  return { kagent, arch, created, components: [own, ...components] };
}

/** The bill of materials and the notices, as files of the bundle. */
async function writeTexts(document: Document, kagent: string, out: string): Promise<(PackFile & Blob)[]> {
  const contents = { 'sbom.spdx.json': sbom(document), 'NOTICES.txt': notices(document) };
  return Promise.all(
    Object.entries(contents).map(async ([name, content]) => {
      const source = join(out, name);
      const blob = join(out, `${name}.zst`);
      await writeFile(source, content);
      const how = await compressFile(source, blob, kept);
      return {
        ...how,
        blob,
        source,
        path: name,
        component: 'kagent',
        version: kagent,
        licence: 'Apache-2.0',
        mode: 0o644,
      };
    }),
  );
}

export async function kagentVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, arch: { type: 'string', default: process.arch } },
  });
  try {
    const target = targetOf(values.arch);
    const version = await kagentVersion();
    const bundle = await buildBundle({ target, only: values.only?.split(','), version, out: distOf(target) });
    if (bundle !== undefined) process.stdout.write(`${bundle}\n`);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
