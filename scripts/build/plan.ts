/**
 * What has to be made, from what, and where it goes in the bundle. Makes nothing itself.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { busyboxLicence, busyboxPart, busyboxProducer, busyboxVersion, readApplets } from './busybox.ts';
import { hashOf, hashOfFile, hashOfFolder } from './cache.ts';
import type { Cache, Entry } from './cache.ts';
import { buildGo, compilers, goKey, upstreamOf } from './go.ts';
import { planHostTools } from './host-tools.ts';
import { definitionsFile, definitionsKey, writeDefinitions } from './definitions.ts';
import { busyboxImage, busyboxTag, corednsImage, pauseImage, pauseVersion, traefikImage } from './images.ts';
import type { Part } from './modules.ts';
import { writeImage } from './oci.ts';
import type { Image } from './oci.ts';
import type { PackFile } from './pack.ts';
import { recipes } from './recipes.ts';
import type { Recipe } from './recipes.ts';
import { run } from './run.ts';
import { pkgConfigOf } from './seccomp.ts';
import { candidateOf, unpackDebian } from './debian.ts';
import type { Target } from './target.ts';
import type { ToolName } from './tools.ts';

/** Fills a folder of the cache. */
export interface Producer extends Entry {
  readonly estimateMs: number;
  readonly tools: readonly ToolName[];
}

/** A file of the bundle: `file` in the producer's folder. */
export interface Artefact extends Omit<PackFile, 'source'> {
  readonly producer: Producer;
  readonly file: string;
}

export interface Component {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** What it is made of. */
  readonly parts: () => Promise<readonly Part[]>;
}

export interface Plan {
  readonly producers: readonly Producer[];
  readonly artefacts: readonly Artefact[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly components: readonly Component[];
}

export interface PlanOptions {
  /** The folder `components/`. */
  readonly components: string;
  readonly target: Target;
  readonly cache: Cache;
  /** Names of recipes; undefined: everything that belongs in the bundle. */
  readonly only: readonly string[] | undefined;
}

const here = dirname(fileURLToPath(import.meta.url));

export async function makePlan(options: PlanOptions): Promise<Plan> {
  const { only } = options;
  const unknown = only?.find((name) => !recipes.some((recipe) => recipe.name === name));
  if (unknown !== undefined)
    throw new Error(`no component "${unknown}": ${recipes.map(({ name }) => name).join(', ')}`);
  const chosen = recipes.filter(({ name }) => only === undefined || only.includes(name));
  const versions = await compilers(options.target);
  const made = await Promise.all(chosen.map((recipe) => planRecipe(recipe, options, versions)));
  const images = only === undefined ? await planImages(options, made, versions.cc) : noImages;
  return {
    producers: [...made.map(({ producer }) => producer), ...images.producers],
    artefacts: [...made.flatMap(({ artefacts }) => artefacts), ...images.artefacts],
    links: [...made.flatMap(({ links }) => links), ...images.links],
    components: [...made.map(({ component }) => component), ...images.components],
  };
}

interface PlannedRecipe {
  readonly recipe: Recipe;
  readonly producer: Producer;
  readonly component: Component;
  readonly artefacts: readonly Artefact[];
  readonly links: Plan['links'];
}

async function planRecipe(
  recipe: Recipe,
  { components, target, cache }: PlanOptions,
  versions: { readonly go: string; readonly cc: string },
): Promise<PlannedRecipe> {
  const build = { recipe, folder: join(components, recipe.name), target };
  const { name, licence, place } = recipe;
  const key = await goKey(build, versions);
  const seccomp = await foreignSeccomp(target);
  const producer: Producer = {
    name,
    key: recipe.cgo && seccomp !== undefined ? hashOf([key, seccomp.key]) : key,
    estimateMs: recipe.estimateMs,
    tools: recipe.cgo ? ['go', 'cc', target.isForeign ? 'debianPackages' : 'libseccomp'] : ['go'],
    build: async (dir) => {
      const libraries = recipe.cgo && seccomp !== undefined ? pkgConfigOf(target, await cache.entry(seccomp)) : {};
      await buildGo(build, libraries, dir);
    },
  };
  const { version } = await upstreamOf(build);
  const parts = async () => {
    const dir = await cache.entry(producer);
    return JSON.parse(await readFile(join(dir, 'modules.json'), 'utf8')) as Part[]; // as buildGo wrote it
  };
  const inBundle = place === 'bin' || place === 'cni' ? recipe.programs : [];
  return {
    recipe,
    producer,
    component: { name, version, licence, parts },
    artefacts: inBundle.map((program) => ({
      producer,
      file: program.name,
      path: `${place}/${program.name}`,
      component: name,
      version,
      licence,
      mode: 0o755,
    })),
    links: inBundle.flatMap((program) =>
      program.links.map((link) => ({ path: `${place}/${link}`, target: program.name })),
    ),
  };
}

/** This machine's own libseccomp is installed; another architecture's comes from its package. */
async function foreignSeccomp(target: Target): Promise<Producer | undefined> {
  if (!target.isForeign) return undefined;
  const name = 'libseccomp-dev';
  const wanted = { name, version: await candidateOf(name) };
  return {
    name: 'libseccomp',
    key: hashOf([wanted, target.arch]),
    estimateMs: 4000,
    tools: ['debianPackages'],
    build: (dir) => unpackDebian(wanted, target, dir),
  };
}

type Images = Pick<Plan, 'producers' | 'artefacts' | 'links' | 'components'>;
const noImages: Images = { producers: [], artefacts: [], links: [], components: [] };

async function planImages(
  { components, target, cache }: PlanOptions,
  made: readonly PlannedRecipe[],
  cc: string,
): Promise<Images> {
  const { arch } = target;
  const pauseFolder = join(components, 'pause');
  const pause: Producer = {
    name: 'pause',
    key: hashOf([await hashOfFolder(pauseFolder), arch, cc]),
    estimateMs: 500,
    tools: ['cc'],
    build: async (dir) => {
      const flags = ['-Os', '-static', '-s', '-Wl,--build-id=none', '-o', join(dir, 'pause'), 'pause.c'];
      await run(target.cc, flags, { cwd: pauseFolder });
    },
  };
  const busybox = busyboxProducer(target);
  const recipe = hashOf([await hashOfFile(join(here, 'oci.ts')), await hashOfFile(join(here, 'images.ts'))]);
  const folderOf = (producer: Producer) => cache.entry(producer);
  const image = (producer: Producer, make: (dir: string) => Promise<Image>): Producer => ({
    name: `${producer.name}-image`,
    key: hashOf([recipe, producer.key]),
    estimateMs: 1000,
    tools: [],
    build: async (dir) => writeImage(join(dir, `${producer.name}.tar`), await make(await folderOf(producer))),
  });
  const recipeOf = (name: string) => {
    const found = made.find((one) => one.recipe.name === name);
    if (found === undefined) throw new Error(`no component "${name}" for its image`);
    return found;
  };
  const coredns = recipeOf('coredns');
  const traefik = recipeOf('traefik');
  const corednsVersion = coredns.component.version;
  const traefikVersion = traefik.component.version;
  const pauseArchive = image(pause, async (dir) => pauseImage(arch, await readFile(join(dir, 'pause'))));
  const busyboxArchive = image(busybox, async (dir) =>
    busyboxImage(arch, await readFile(join(dir, 'busybox')), await readApplets(dir)),
  );
  const corednsArchive = image(coredns.producer, async (dir) =>
    corednsImage(arch, corednsVersion, await readFile(join(dir, 'coredns'))),
  );
  const traefikArchive = image(traefik.producer, async (dir) =>
    traefikImage(arch, traefikVersion, await readFile(join(dir, 'traefik'))),
  );
  const traefikFolder = join(components, 'traefik');
  const definitions: Producer = {
    name: 'traefik-definitions',
    key: await definitionsKey(traefikFolder),
    estimateMs: 2000,
    tools: ['go'],
    build: (dir) => writeDefinitions(traefikFolder, dir),
  };
  const artefact = (producer: Producer, name: string, tag: string, version: string, licence: string): Artefact => ({
    producer,
    file: `${name}.tar`,
    path: `images/${name}.tar`,
    component: name,
    version,
    licence,
    mode: 0o644,
    image: `kagent.sh/${name}:${tag}`,
  });
  const sources = join(components, 'host-tools');
  const tools = await planHostTools({ target, sources, cache, busybox });
  return {
    producers: [
      pause,
      busybox,
      pauseArchive,
      busyboxArchive,
      corednsArchive,
      traefikArchive,
      definitions,
      ...tools.producers,
    ],
    links: tools.links,
    artefacts: [
      ...tools.artefacts,
      artefact(pauseArchive, 'pause', pauseVersion, pauseVersion, 'Apache-2.0'),
      artefact(busyboxArchive, 'busybox', busyboxTag, busyboxVersion, busyboxLicence),
      artefact(corednsArchive, 'coredns', corednsVersion, corednsVersion, coredns.component.licence),
      {
        producer: definitions,
        file: definitionsFile,
        path: `definitions/${definitionsFile}`,
        component: 'traefik',
        version: traefikVersion,
        licence: 'Apache-2.0 AND MIT',
        mode: 0o644,
      },
      {
        ...artefact(traefikArchive, 'traefik', traefikVersion, traefikVersion, traefik.component.licence),
        path: 'images/later/traefik.tar', // a node is Ready without it
      },
    ],
    components: [
      ...tools.components,
      { name: 'pause', version: pauseVersion, licence: 'Apache-2.0', parts: async () => [] },
      {
        name: 'busybox',
        version: busyboxVersion,
        licence: busyboxLicence,
        parts: async () => [await busyboxPart(await folderOf(busybox))],
      },
    ],
  };
}
