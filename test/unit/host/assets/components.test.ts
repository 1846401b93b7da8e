import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assetComponents, openBundle } from '../../../../src/host/assets/assets.ts';
import type { Bundle } from '../../../../src/host/assets/assets.ts';
import { createComponentManager, task } from '../../../../src/shared/component/component.ts';
import type { ComponentName } from '../../../../src/shared/component/component.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { fakeBundle, quick } from '../../../helpers/bundle.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const large = (fill: string) => Buffer.alloc(3 * quick.frameSizeBytes, fill);
const files = [
  { path: 'aux/iptables', content: large('iptables') },
  { path: 'bin/containerd', content: large('containerd'), component: 'containerd' },
  { path: 'bin/hyperkube', content: large('hyperkube'), component: 'kubernetes' },
  { path: 'bin/runc', content: large('runc'), component: 'runc' },
];
const signal = new AbortController().signal;

/** A cluster of programs that each wait for their own files. */
function clusterOf(bundle: Bundle, dir: string, first: 'kubernetes' | 'containerd' = 'kubernetes') {
  const events: string[] = [];
  const program = (name: ComponentName, after: ComponentName, paths: readonly string[]) =>
    task(
      name,
      [after],
      async () => {
        for (const path of paths) {
          expect(readFileSync(join(dir, 'data/current', path))).toEqual(
            files.find((one) => one.path === path)?.content,
          );
        }
        events.push(`${name} starts`);
      },
      async () => void events.push(`${name} stops`),
    );
  const manager = createComponentManager([
    ...assetComponents({ bundle, dataDir: dir, first, log: silentLog }),
    program('kube-apiserver', 'assets-kubernetes', ['bin/hyperkube']),
    program('containerd', 'assets-containerd', ['bin/containerd', 'bin/runc']),
    program(
      'images',
      'assets',
      files.map(({ path }) => path),
    ),
  ]);
  return { manager, events };
}

async function bundleIn(dir: string): Promise<Bundle> {
  return await openBundle(await fakeBundle(dir, files));
}

test('on a first start each program starts when its own files are there, and what was unpacked is finished when kagent has ended', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const { manager, events } = clusterOf(bundle, dir);
  await manager.start(signal);
  expect(events).toEqual(['kube-apiserver starts', 'containerd starts', 'images starts']);
  await manager.stop();
  expect(readlinkSync(join(dir, 'data/current'))).toBe(bundle.identity);
});

test('on a node that joins containerd comes before Kubernetes', async () => {
  const dir = temporaryDir();
  const { manager, events } = clusterOf(await bundleIn(dir), dir, 'containerd');
  await manager.start(signal);
  expect(events).toEqual(['containerd starts', 'kube-apiserver starts', 'images starts']);
  await manager.stop();
});

test('where all is there, nothing waits', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  for (const _ of [1, 2]) {
    const { manager, events } = clusterOf(bundle, dir);
    await manager.start(signal);
    expect(events).toHaveLength(3);
    await manager.stop();
  }
});

test('when a later file is damaged, the start fails with it, and what had started is stopped', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const bytes = readFileSync(bundle.path);
  const { offset = 0 } = bundle.manifest.files.find(({ path }) => path === 'aux/iptables') ?? {};
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  writeFileSync(bundle.path, bytes);
  const { manager, events } = clusterOf(await openBundle(bundle.path), dir);
  await expect(manager.start(signal)).rejects.toMatchObject({ code: 'ASSETS_CORRUPT' });
  expect(events).not.toContain('images starts');
  const started = events.flatMap((event) => (event.endsWith(' starts') ? event.replace('starts', 'stops') : []));
  expect(events).toEqual(expect.arrayContaining(started));
});
