/**
 * Go modules that are built with changes of ours: `components/<name>/patches/<module>/0001-….patch`. Go builds them only from a
 * folder of the main module's own, so both are copied, and go.mod is told of the copies by paths within: no path of this
 * machine gets into the programs. The module cache stays as it is, and may be read-only.
 */
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { applyPatch, parsePatch } from './patch.ts';
import type { Patch } from './patch.ts';
import { run } from './run.ts';

export interface Sources {
  /** Where Go is to build. */
  readonly folder: string;
  /** Go module → the patches it is built with, as seen from the root of the repository. */
  readonly patches: ReadonlyMap<string, readonly string[]>;
}

/** Where the copies are, as go.mod and the programs made from it have it. */
const copies = 'patched';

/** @param workplace an empty folder, for the copies @returns `folder` itself if nothing in it is patched */
export async function patchedSources(folder: string, workplace: string): Promise<Sources> {
  const patches = await patchesOf(folder);
  if (patches.size === 0) return { folder, patches: new Map() };
  const own = join(folder, 'patches');
  await cp(folder, workplace, { recursive: true, filter: (path) => path !== own });
  for (const [module, wanted] of patches) {
    const answer = await run('go', ['mod', 'download', '-json', module], { cwd: workplace }); // go.mod still has the real one
    const { Dir } = JSON.parse(answer) as { readonly Dir: string };
    await copyPatched(Dir, join(workplace, copies, module), wanted);
    await run('go', ['mod', 'edit', `-replace=${module}=./${copies}/${module}`], { cwd: workplace });
  }
  return { folder: workplace, patches: new Map([...patches].map(([module, all]) => [module, all.map(nameOf)])) };
}

const nameOf = ({ name }: Patch) => name;

/** Each module's patches, in the order of their names. */
export async function patchesOf(folder: string): Promise<ReadonlyMap<string, readonly Patch[]>> {
  const own = join(folder, 'patches');
  const files = (await readdir(own, { recursive: true }).catch(() => [])).filter((file) => file.endsWith('.patch'));
  const found = new Map<string, Patch[]>();
  for (const file of files.toSorted()) {
    const patch = parsePatch(
      join('components', basename(folder), 'patches', file),
      await readFile(join(own, file), 'utf8'),
    );
    found.set(dirname(file), [...(found.get(dirname(file)) ?? []), patch]);
  }
  return found;
}

/** @throws if a patch does not fit */
async function copyPatched(module: string, copy: string, patches: readonly Patch[]): Promise<void> {
  const changed = await applied(module, patches);
  await mkdir(copy, { recursive: true });
  // A folder is listed before what is in it. Modes are not copied: in the module cache nobody may write. Tests are not built, and
  // would be of another package than what a patch makes of a program.
  for (const entry of await readdir(module, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name);
    const path = relative(module, from);
    const content = changed.get(path);
    if (entry.name.endsWith('_test.go')) continue;
    if (entry.isDirectory()) await mkdir(join(copy, path), { recursive: true });
    else if (content !== undefined) await writeFile(join(copy, path), content);
    else await copyFile(from, join(copy, path), constants.COPYFILE_FICLONE);
  }
}

async function applied(module: string, patches: readonly Patch[]): Promise<ReadonlyMap<string, string>> {
  const changed = new Map<string, string>();
  for (const { name, files } of patches) {
    for (const file of files) {
      const content = changed.get(file.path) ?? (await readFile(join(module, file.path), 'utf8').catch(() => ''));
      changed.set(file.path, applyPatch(content, file, name));
    }
  }
  return changed;
}
