/**
 * Builds one folder of `components/` with Go.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, hashOfFolder } from './cache.ts';
import { modulesOf } from './modules.ts';
import { patchedSources } from './patched.ts';
import type { Program, Recipe, Upstream } from './recipes.ts';
import { run } from './run.ts';
import type { Target } from './target.ts';

export interface GoBuild {
  readonly recipe: Recipe;
  readonly folder: string;
  readonly target: Target;
}

/** The compilers' versions: part of every key. */
export async function compilers({ cc }: Target): Promise<{ readonly go: string; readonly cc: string }> {
  const [go, gcc] = await Promise.all([run('go', ['env', 'GOVERSION']), run(cc, ['--version'])]);
  return { go: go.trim(), cc: gcc.split('\n')[0] ?? '' };
}

/** Hash of everything the result depends on. */
export async function goKey(build: GoBuild, versions: { readonly go: string; readonly cc: string }): Promise<string> {
  const { recipe, folder, target } = build;
  const named: Upstream = { version: 'v0.0.0', time: '', versionOf: (module) => module }; // go.mod's hash has the real ones
  return hashOf({
    sources: await hashOfFolder(folder),
    commands: recipe.programs.map((program) => goArguments(program, recipe, named)),
    arch: target.arch,
    go: versions.go,
    cc: recipe.cgo ? versions.cc : '',
  });
}

/**
 * Leaves the programs in `dir`, and beside them `modules.json`: every Go module inside, with its licence.
 * @param libraries the environment in which pkg-config finds the target's C libraries, where that is not this machine's own
 */
export async function buildGo(build: GoBuild, libraries: Readonly<Record<string, string>>, dir: string): Promise<void> {
  const { recipe, folder } = build;
  const upstream = await upstreamOf(build);
  const workplace = join(dir, 'sources');
  await mkdir(workplace);
  const sources = await patchedSources(folder, workplace);
  for (const program of recipe.programs) {
    const args = goArguments(program, recipe, upstream);
    const env = { ...environment(build), ...libraries };
    await run('go', ['build', '-o', join(dir, program.name), ...args], { cwd: sources.folder, env });
  }
  await rm(workplace, { recursive: true });
  const programs = recipe.programs.map((program) => join(dir, program.name));
  await writeFile(join(dir, 'modules.json'), JSON.stringify(await modulesOf(programs, sources.patches), null, 2));
}

/** What go.mod pins. */
export async function upstreamOf({ recipe, folder }: Pick<GoBuild, 'recipe' | 'folder'>): Promise<Upstream> {
  const text = await readFile(join(folder, 'go.mod'), 'utf8');
  const versionOf = (module: string) => {
    const line = text
      .split('\n')
      .find((candidate) => candidate.replace('require', '').trim().startsWith(`${module} v`));
    const version = line?.split(`${module} `)[1]?.split(' ')[0];
    if (version === undefined) throw new Error(`${folder}/go.mod does not require ${module}`);
    return version;
  };
  const format = '{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}';
  const time = await run('go', ['list', '-m', '-f', format, recipe.upstream], { cwd: folder });
  return { version: versionOf(recipe.upstream), time: time.trim(), versionOf };
}

/** Paths of this machine, the time and version control stay out: the same sources give the same bytes. */
function goArguments(program: Program, recipe: Recipe, upstream: Upstream): string[] {
  const stamps = Object.entries(program.stamps(upstream)).map(([name, value]) => `-X ${name}=${value}`);
  const linker = ['-s -w -buildid=', ...stamps, ...(recipe.cgo ? ["-extldflags '-static -Wl,--build-id=none'"] : [])];
  const tags = program.tags.length > 0 ? ['-tags', program.tags.join(',')] : [];
  return ['-trimpath', '-buildvcs=false', '-ldflags', linker.join(' '), ...tags, program.package];
}

function environment({ recipe, target }: GoBuild): Record<string, string> {
  return {
    CGO_ENABLED: recipe.cgo ? '1' : '0',
    GOOS: 'linux',
    GOARCH: target.name,
    ...(recipe.cgo && target.isForeign ? { CC: target.cc } : {}),
  };
}
