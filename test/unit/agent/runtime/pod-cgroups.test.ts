import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { podsIn, removePodCgroups } from '../../../../src/agent/runtime/pod-cgroups.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const uid = '7c0e2a4e-11c2-4b0c-9d0e-0a1b2c3d4e5f';
const slice = `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`;

test.each([
  [`0::/kubepods/burstable/pod${uid}/0a1b`, `/kubepods/burstable/pod${uid}`],
  [`4:memory:/kubepods/pod${uid}/0a1b`, `/kubepods/pod${uid}`],
  [`0::/kubepods/pod${'0'.repeat(32)}`, `/kubepods/pod${'0'.repeat(32)}`],
  [
    `0::/kubepods.slice/kubepods-burstable.slice/${slice}/cri-containerd-0a1b.scope`,
    `/kubepods.slice/kubepods-burstable.slice/${slice}`,
  ],
])('%s is in the cgroup of a pod', (line, pod) => {
  expect(podsIn(`12:rdma:/\n${line}\n`)).toEqual([pod]);
});

test.each([`0::/lab-1-s1/kubepods/pod${uid}/0a1b`, '0::/system.slice/kagent.service', '0::/kubepods'])(
  '%s is not, or of another Kubernetes than this host’s',
  (line) => {
    expect(podsIn(`${line}\n`)).toEqual([]);
  },
);

function tree(): { readonly base: string; readonly path: (below: string) => string } {
  const base = temporaryDir();
  return { base, path: (below) => join(base, 'memory/kubepods', below) };
}

test('the tree goes with all that is in it where nobody else has a process there', async () => {
  const { base, path } = tree();
  for (const pod of ['burstable/pod-a/0a', 'besteffort/left-by-a-crash']) mkdirSync(path(pod), { recursive: true });
  expect(await removePodCgroups(['/kubepods/burstable/pod-a'], base)).toEqual({ removed: 1, left: [], stayed: [] });
  expect(existsSync(path(''))).toBe(false);
});

test('where another Kubernetes has processes in it, the cgroups of our pods go alone', async () => {
  const { base, path } = tree();
  for (const pod of ['burstable/pod-a/0a', 'burstable/pod-b/0b']) mkdirSync(path(pod), { recursive: true });
  writeFileSync(path('burstable/pod-b/0b/cgroup.procs'), '812\n');
  const { removed, left, stayed } = await removePodCgroups(['/kubepods/burstable/pod-a'], base);
  expect({ removed, left }).toEqual({ removed: 1, left: [] });
  expect(stayed).toEqual([`cgroup ${path('').replace(/\/$/, '')}: processes of another Kubernetes are in it`]);
  expect([existsSync(path('burstable/pod-a')), existsSync(path('burstable/pod-b/0b'))]).toEqual([false, true]);
});

test('a cgroup of our own pods that a process stays in is a failure', async () => {
  const { base, path } = tree();
  mkdirSync(path('pod-a/0a'), { recursive: true });
  writeFileSync(path('pod-a/0a/cgroup.procs'), '813\n');
  const { left } = await removePodCgroups(['/kubepods/pod-a'], base);
  expect(left).toEqual([expect.stringMatching(/^cgroup .*kubepods stays: a process is in it$/)]);
}, 10_000);
