/** scripts/install.sh in a checkout, on a box without a service manager, and everything away again. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boxState, differences } from '../../helpers/box-state.ts';
import type { BoxState } from '../../helpers/box-state.ts';
import { createBox } from '../../helpers/cluster.ts';
import type { BoxWithLab } from '../../helpers/cluster.ts';
import { processesOf } from '../../helpers/processes.ts';

const repository = resolve(import.meta.dirname, '../../..');
let box: BoxWithLab;
let untouched: BoxState;

beforeAll(async () => {
  box = await createBox('install');
  // What the checkout's own build needs is there already; the box cannot reach a registry.
  await box.sh(
    `rm -f /usr/local/bin/kagent && cd '${repository}' && cp package-lock.json node_modules/.installed-lock.json`,
  );
  untouched = await boxState(box);
});
afterAll(() => box?.wipe());

const install = (...flags: readonly string[]) =>
  box.sh(
    `PATH=$PATH:/usr/local/go/bin:$(dirname '${process.execPath}') sh '${repository}/scripts/install.sh' ${flags.join(' ')} 2>&1`,
  );

test('one command ends with a Ready node, its administrator and what to type next', async () => {
  const said = await install();
  expect(said).toMatch(/kagent is Ready[^]*What next:[^]*kagent kubectl get nodes/);
  expect(await box.kubectl('get', 'nodes', 's1', '-o', 'jsonpath={.status.nodeInfo.kubeletVersion}')).toBe('v1.37.1');
  const mode = await box.sh('stat -c %a /etc/kagent/kagent.yaml /etc/kagent/kagent.env');
  expect(mode).toBe('600\n600\n');
  expect(await box.sh('crictl --version')).toContain('v1.36.0'); // through the link beside kagent
});

test('run again with nothing changed, it restarts nothing', async () => {
  const { pid } = await box.status();
  expect(await install()).toContain('not restarted');
  expect((await box.status()).pid).toBe(pid);
});

test('run again with another flag, kagent has it and the pods have not noticed', async () => {
  await box.kubectl('wait', 'pod', '--all', '-A', '--for=condition=Ready', '--timeout=60s');
  const { pid } = await box.status();
  const pods = processesOf(box).filter((process) => process.isPods);
  await install('server', '--kube-apiserver-arg', 'event-ttl=30m');
  expect((await box.status()).pid).not.toBe(pid);
  const apiserver = (await box.status()).components.find(({ name }) => name === 'kube-apiserver');
  expect(apiserver?.args).toContain('--event-ttl=30m');
  expect(processesOf(box).filter((process) => process.isPods)).toEqual(pods);
});

test('kagent-uninstall.sh takes away all that the installer and kagent made', async () => {
  await box.sh('kagent-uninstall.sh');
  expect(differences(untouched, await boxState(box))).toEqual({});
});
