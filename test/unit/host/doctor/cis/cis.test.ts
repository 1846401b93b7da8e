import { chmodSync, mkdirSync, writeFileSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cisDoc } from '../../../../../scripts/cis-doc.ts';
import { cisHost, cisItems, cisText, examineCis } from '../../../../../src/host/doctor/doctor.ts';
import type { CisHost } from '../../../../../src/host/doctor/doctor.ts';
import { kubeletConfiguration } from '../../../../../src/agent/node/kubelet-config.ts';
import { hardening } from '../../../../../src/server/control-plane/hardening.ts';
import { pathsOf } from '../../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../../helpers/temporary.ts';

/** A box on which nothing runs but what is said, with real files. */
async function box(flags: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<CisHost> {
  const real = await cisHost(pathsOf(temporaryDir()));
  return { ...real, isRunning: (name) => name in flags, flag: (component, name) => flags[component]?.[name] };
}
const stateOf = (one: CisHost, id: string) => examineCis(one).find((result) => result.id === id);

test('no two items share a number, and they are in its order', () => {
  const ids = cisItems.map(({ id }) => id);
  const ordered = ids.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  expect(ids).toEqual(ordered);
  expect(new Set(ids).size).toBe(ids.length);
});

test('docs/cis.md says what the items say; `node scripts/cis-doc.ts` writes it anew', () => {
  const written = readFileSync(join(import.meta.dirname, '../../../../../docs/cis.md'), 'utf8');
  const words = (text: string) => text.replaceAll(/[ \t]+|-{3,}/g, ' ');
  expect(words(written)).toBe(words(cisDoc()));
});

test('what the profile gives kube-apiserver is what its items ask for, and without it they fail with what to set', async () => {
  const dir = temporaryDir();
  const hardened = await box({ 'kube-apiserver': hardening(pathsOf(dir), (path) => path) });
  const plain = await box({ 'kube-apiserver': { 'enable-admission-plugins': 'NodeRestriction' } });
  const ids = cisItems.filter(({ by, of }) => by === 'profile' && of === 'kube-apiserver').map(({ id }) => id);
  expect(ids.length).toBeGreaterThanOrEqual(8);
  for (const id of ids) {
    expect(stateOf(hardened, id)).toMatchObject({ id, state: 'pass' });
    expect(stateOf(plain, id)).toMatchObject({ id, state: 'fail', next: expect.stringContaining('--profile cis') });
  }
  expect(stateOf(hardened, '1.2.14')?.state).toBe('pass');
});

test('what is not there yet fails and says so; what does not run here is not applicable', async () => {
  const server = await box({ 'kube-apiserver': {} });
  expect(stateOf(server, '1.2.27')).toMatchObject({ state: 'fail', why: '--encryption-provider-config is not given' });
  const agent = await box({});
  expect(stateOf(agent, '1.2.27')).toMatchObject({ state: 'not applicable', why: 'kube-apiserver does not run here' });
  expect(cisText(examineCis(agent))).toMatch(/\d+ pass, 0 fail, \d+ to be checked by hand, \d+ not applicable$/);
});

test('a file that others may read is named with its mode', async () => {
  const agent = await box({});
  const path = join(agent.paths.agent.etc, 'cni/net.d/10-kagent.conflist');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '{}');
  chmodSync(path, 0o644);
  expect(stateOf(agent, '1.1.9')).toMatchObject({ state: 'fail', why: `${path} has mode 644` });
  chmodSync(path, 0o600);
  expect(stateOf(agent, '1.1.9')).toMatchObject({ state: 'pass' });
});

test.each([true, false])('the kubelet’s items are read from its configuration, hardened: %s', async (isHardened) => {
  const configuration: Readonly<Record<string, unknown>> = kubeletConfiguration({
    facts: { cgroupDriver: 'cgroupfs' } as never,
    clusterDns: '10.43.0.10',
    clusterDomain: 'cluster.local',
    clientCaPath: '/nowhere/ca.crt',
    servingCertPath: '/nowhere/a.crt',
    servingKeyPath: '/nowhere/a.key',
    staticPodDir: '/pods',
    volumePluginDir: '/volume-plugins',
    containerdSocket: '/run/x.sock',
    protectKernelDefaults: isHardened,
    isHardened,
    taints: [],
  });
  const node = { ...(await box({ kubelet: {} })), kubelet: (key: string) => configuration[key] };
  const failed = examineCis(node).filter(({ state }) => state === 'fail');
  expect(failed.map(({ id }) => id)).toEqual(isHardened ? [] : ['4.2.13', '4.2.14']);
});
