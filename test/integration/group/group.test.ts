import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { patchedSources } from '../../../scripts/build/patched.ts';
import { recipes } from '../../../scripts/build/recipes.ts';
import { goEnvironment } from '../../helpers/go.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

test('what runs several programs in one process does what its tests say', { timeout: 900_000 }, async () => {
  const { folder } = await patchedSources(
    resolve(import.meta.dirname, '../../../components/kubernetes'),
    temporaryDir(),
  );
  // Built as the bundle's, so that what Go has compiled for that is used.
  const tags = recipes.find(({ name }) => name === 'kubernetes')?.programs[0]?.tags.join(',') ?? '';
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-vet=off', `-tags=${tags}`];
  const { status, stdout, stderr } = spawnSync('go', ['test', ...flags, './group'], {
    cwd: folder,
    env: { ...goEnvironment(), CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toMatch(/^ok\s+kagent\.sh\/components\/kubernetes\/group\b/m);
  expect(status).toBe(0);
});
