import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { recipes } from '../../../scripts/build/recipes.ts';
import { goEnvironment } from '../../helpers/go.ts';

test("flanneld's own parts do what their tests say", { timeout: 600_000 }, () => {
  // Built as the bundle's, so that what Go has compiled for that is used.
  const tags = recipes.find(({ name }) => name === 'kubernetes')?.programs[0]?.tags.join(',') ?? '';
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-vet=off', `-tags=${tags}`];
  const { status, stdout, stderr } = spawnSync('go', ['test', ...flags, './flanneld'], {
    cwd: resolve(import.meta.dirname, '../../../components/kubernetes'),
    env: { ...goEnvironment(), CGO_ENABLED: '0' },
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toMatch(/^ok\s+kagent\.sh\/components\/kubernetes\/flanneld\b/m);
  expect(status).toBe(0);
});
