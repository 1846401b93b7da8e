import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { patchedSources } from '../../scripts/build/patched.ts';
import { recipes } from '../../scripts/build/recipes.ts';
import { goEnvironment } from './go.ts';
import { temporaryDir } from './temporary.ts';

/** Go's own tests of a component's package, with its patches. @param packageDir as seen from the component: `./group` */
export async function goTests(component: string, packageDir: string) {
  const { folder } = await patchedSources(resolve(import.meta.dirname, '../../components', component), temporaryDir());
  // Built as the bundle's, so that what Go has compiled for that is used.
  const tags = recipes.find(({ name }) => name === component)?.programs[0]?.tags.join(',') ?? '';
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-vet=off', `-tags=${tags}`];
  const { status, stdout, stderr } = spawnSync('go', ['test', ...flags, packageDir], {
    cwd: folder,
    env: { ...goEnvironment(), CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
}
