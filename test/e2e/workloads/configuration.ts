import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultDataDir, pathsOf } from '../../../src/shared/paths.ts';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

export function configurationStories(box: () => Box): void {
  const namespace = 'configuration';
  const kubectl = (...args: readonly string[]) => box().kubectl('-n', namespace, ...args);
  const read = (path: string) => kubectl('exec', 'reader', '--', 'cat', path);

  test('a ConfigMap and a Secret are mounted, and a change of theirs comes to the running pod', async () => {
    await box().kubectl('create', 'namespace', namespace);
    await box().apply(manifest('settings'), '-n', namespace);
    await kubectl('wait', 'pod/reader', '--for=condition=Ready', '--timeout=60s');
    expect(await read('/settings/color')).toBe('red');
    expect(await read('/secrets/password')).toBe('swordfish');
    await kubectl('patch', 'configmap', 'settings', '--patch', '{"data":{"color":"green"}}');
    await kubectl('patch', 'secret', 'password', '--patch', '{"stringData":{"password":"mellon"}}');
    // The kubelet looks at a running pod's volumes about once a minute.
    const changed = (path: string, value: string) =>
      eventually(async () => (await read(path)) === value, { withinMs: 120_000, what: `the change of ${path}` });
    await Promise.all([changed('/settings/color', 'green'), changed('/secrets/password', 'mellon')]);
  });

  test('a static pod appears with its file and goes with it', async () => {
    const file = join(pathsOf(defaultDataDir).agent.podManifests, 'static.yaml');
    const name = `pod/static-${box().host.name}`;
    await box().sh(`cp '${await box().putManifest(manifest('static'))}' '${file}'`);
    await eventually(async () => (await box().tryKubectl('get', name)).code === 0, {
      withinMs: 30_000,
      what: 'the mirror pod',
    });
    await box().kubectl('wait', name, '--for=condition=Ready', '--timeout=60s');
    expect((await box().kubectl('exec', name, '--', 'hostname')).trim()).toBe(`static-${box().host.name}`);
    await rm(box().path(file));
    await box().kubectl('wait', name, '--for=delete', '--timeout=60s');
  });
}
