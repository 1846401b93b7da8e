import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { patchedSources } from '../../scripts/build/patched.ts';
import { recipes } from '../../scripts/build/recipes.ts';
import { goEnvironment } from './go.ts';
import { temporaryDir } from './temporary.ts';

/**
 * Runs the tests of a package of `components/<component>`, its main one by default, built as the bundle's, so that what Go has compiled for that is used.
 * @returns `ok`, or what was written
 */
export async function testGo(component: string, packageName = ''): Promise<string> {
  const { folder } = await patchedSources(resolve(import.meta.dirname, '../../components', component), temporaryDir());
  const tags = recipes.find(({ name }) => name === component)?.programs[0]?.tags.join(',') ?? '';
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-vet=off', `-tags=${tags}`];
  const { status, stdout, stderr } = spawnSync('go', ['test', ...flags, `./${packageName}`], {
    cwd: folder,
    env: { ...goEnvironment(), CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  const isOk = new RegExp(`^ok\\s+kagent\\.sh/components/${join(component, packageName)}\\s`, 'm').test(stdout);
  return isOk && status === 0 ? 'ok' : `${stdout}${stderr}`;
}
