import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect } from 'vitest';
import { patchedSources } from '../../scripts/build/patched.ts';
import { recipes } from '../../scripts/build/recipes.ts';
import { goEnvironment } from './go.ts';
import { temporaryDir } from './temporary.ts';

/** Runs the Go tests of a package of components/kubernetes, built as the bundle's, so that what Go has compiled for that is used. */
export async function expectGoTestsToPass(name: string): Promise<void> {
  const { folder } = await patchedSources(resolve(import.meta.dirname, '../../components/kubernetes'), temporaryDir());
  const tags = recipes.find((recipe) => recipe.name === 'kubernetes')?.programs[0]?.tags.join(',') ?? '';
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-vet=off', `-tags=${tags}`];
  const { status, stdout, stderr } = spawnSync('go', ['test', ...flags, `./${name}`], {
    cwd: folder,
    env: { ...goEnvironment(), CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toMatch(new RegExp(String.raw`^ok\s+kagent\.sh/components/kubernetes/${name}\b`, 'm'));
  expect(status).toBe(0);
}
