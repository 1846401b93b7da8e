/**
 * Builds one folder of `components/` with Go.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, hashOfFolder } from './cache.ts';
import { modulesOf } from './modules.ts';
import type { Program, Recipe, Upstream } from './recipes.ts';
import { run } from './run.ts';

/** Node's name of an architecture → Go's, and the GNU tools' for a cross compiler. */
const architectures: Readonly<Record<string, { readonly go: string; readonly gnu: string } | undefined>> = {
  x64: { go: 'amd64', gnu: 'x86_64' },
  arm64: { go: 'arm64', gnu: 'aarch64' },
};

export interface GoBuild {
  readonly recipe: Recipe;
  readonly folder: string;
  /** Node's name. */
  readonly arch: string;
}

/** The compilers' versions: part of every key. */
export async function compilers(): Promise<{ readonly go: string; readonly cc: string }> {
  const [go, cc] = await Promise.all([run('go', ['env', 'GOVERSION']), run('gcc', ['--version'])]);
  return { go: go.trim(), cc: cc.split('\n')[0] ?? '' };
}

/** Hash of everything the result depends on. */
export async function goKey(build: GoBuild, versions: { readonly go: string; readonly cc: string }): Promise<string> {
  const { recipe, folder, arch } = build;
  const named: Upstream = { version: 'v0.0.0', time: '', versionOf: (module) => module }; // go.mod's hash has the real ones
  return hashOf({
    sources: await hashOfFolder(folder),
    commands: recipe.programs.map((program) => goArguments(program, recipe, named)),
    arch,
    go: versions.go,
    cc: recipe.cgo ? versions.cc : '',
  });
}

/** Leaves the programs in `dir`, and beside them `modules.json`: every Go module inside, with its licence. */
export async function buildGo(build: GoBuild, dir: string): Promise<void> {
  const { recipe, folder } = build;
  const upstream = await upstreamOf(build);
  for (const program of recipe.programs) {
    const args = goArguments(program, recipe, upstream);
    await run('go', ['build', '-o', join(dir, program.name), ...args], { cwd: folder, env: environment(build) });
  }
  const parts = await modulesOf(recipe.programs.map((program) => join(dir, program.name)));
  await writeFile(join(dir, 'modules.json'), JSON.stringify(parts, null, 2));
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

function environment({ recipe, arch }: GoBuild): Record<string, string> {
  const target = architectures[arch];
  if (target === undefined)
    throw new Error(`no build for ${arch}: use one of ${Object.keys(architectures).join(', ')}`);
  const cross = recipe.cgo && arch !== process.arch ? { CC: `${target.gnu}-linux-gnu-gcc` } : {};
  return {
    CGO_ENABLED: recipe.cgo ? '1' : '0',
    GOOS: 'linux',
    GOARCH: target.go,
    GOFLAGS: '',
    GOWORK: 'off',
    ...cross,
  };
}
