/**
 * The stories of a machine's life on real kernels with systemd: `npm run test:machines`, or with `KAGENT_MACHINES` the rows
 * named there. Hours on emulated processors; what the last run gave is in docs/machines.md. With `KAGENT_MACHINES_KEEP` the
 * machines stay, and the next run continues with the story that failed; with `KAGENT_MACHINES_ALONE` there is one machine a row.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { differences, machineState } from '../helpers/box-state.ts';
import type { BoxState } from '../helpers/box-state.ts';
import { busyboxImage } from '../helpers/cluster.ts';
import { hardenedInstallation } from './hardened.ts';
import { imageOf } from './image.ts';
import { machine, removeMachines } from './machine.ts';
import type { Machine } from './machine.ts';
import { endsOfStubbornPods, runStubbornPods, seenByPod, unitMemory } from './pods.ts';
import { createReport } from './report.ts';
import { keptDrive, releaseDrive, releasedExecutable, versions } from './release.ts';
import { chosenRows } from './rows.ts';
import {
  acknowledgedWrites,
  containers,
  doAsTheDoctorSays,
  healthy,
  install,
  joins,
  kubectl,
  labUp,
  podsReachEachOther,
  ready,
  takeOwnRulesBack,
} from './stories.ts';
import type { Host } from './stories.ts';

const minute = 60_000;

/** Modules that were loaded stay, as nobody can tell who needs them by now, and with them their settings. */
function withoutNewSettings(before: BoxState, after: BoxState): BoxState {
  const nameOf = (line: string) => line.split(' = ')[0];
  const known = new Set(before['sysctls']?.map(nameOf));
  return { ...after, sysctls: (after['sysctls'] ?? []).filter((line) => known.has(nameOf(line))) };
}

const stateOf = (one: Machine) => machineState((script) => one.sh(script));

const isSet = (name: string) => process.env[name] !== undefined;
const choice = {
  wanted: process.env['KAGENT_MACHINES'],
  isAlone: isSet('KAGENT_MACHINES_ALONE'),
  isEmulated: isSet('KAGENT_MACHINES_EMULATED'),
};

describe.each(chosenRows(choice))('$name', (row) => {
  const dir = `/var/tmp/kagent-machines-${row.name}`;
  const isKept = isSet('KAGENT_MACHINES_KEEP');
  const before = (one: Machine) => join(dir, `${one.name}.before`);
  const goesOn = isKept && existsSync(join(dir, 'm1.before'));
  const report = createReport(row, goesOn);
  let m1: Machine;
  let m2: Machine;

  /** Since it was bare. */
  const changesOn = async (one: Machine) => {
    const state = JSON.parse(readFileSync(before(one), 'utf8')) as BoxState;
    return differences(state, withoutNewSettings(state, await stateOf(one)), ['modules']);
  };
  const machines = () => (row.machines === 2 ? [m1, m2] : [m1]);
  const settled = () => ready(m1, row.machines);
  const image = () => busyboxImage(releasedExecutable(row.image.arch));
  const pods = async (hosts: readonly Host[]) => podsReachEachOther(hosts, await image());
  const installOn = (one: Machine, version: string) => {
    const mode = one === m1 ? `server --flannel-backend=${row.backend}` : 'agent';
    return install(one, version, mode, row.image.hardened ? hardenedInstallation : '');
  };

  beforeEach(({ task, skip }) => {
    if (report.hasPassed(task.name)) skip('on these machines');
    report.begin();
  });
  afterEach(({ task }) => {
    if (!report.hasPassed(task.name)) report.end(task.name, (task.result?.errors ?? []).length === 0);
  });
  beforeAll(async () => {
    const release = goesOn ? keptDrive(row.image.arch) : await releaseDrive(row.image.arch);
    if (!goesOn) await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const shared = { dir, arch: row.image.arch, image: await imageOf(row.image), cards: row.cards, release };
    m1 = machine({ ...shared, name: 'm1' });
    m2 = machine({ ...shared, name: 'm2' });
  });
  afterAll(async () => {
    if (isKept) return; // somebody wants to look
    await removeMachines(dir);
    await rm(dir, { recursive: true, force: true });
  });

  test('boot', async () => {
    await Promise.all(machines().map((one) => one.boot()));
    for (const one of machines()) {
      expect((await one.sh('systemctl is-system-running --wait || true')).trim()).toBe('running');
      writeFileSync(before(one), JSON.stringify(await stateOf(one)));
    }
    report.note((await m1.sh('uname -r; systemctl --version | head -1')).trim().replaceAll('\n', ', '));
  });

  describe.each(row.image.hardened ? ['before it is installed'] : [])('%s', () => {
    test('where nothing may be run below /var, the installer says so and changes nothing', async () => {
      await m1.sh('mount -o remount,bind,nosuid,nodev,noexec /var');
      const installed = installOn(m1, versions.old);
      await expect(installed).rejects.toThrow(/nothing can be run from the data dir \S+: \/var is mounted noexec/);
      await expect(installed).rejects.toThrow(/Nothing was changed/);
      await m1.sh('mount -o remount,bind,nosuid,nodev,exec /var');
      expect(await changesOn(m1)).toEqual({});
    });
  });

  test("installed from a release's folder, without a network, the node is Ready", async () => {
    expect(await installOn(m1, versions.old)).toContain('kagent is installed');
  });

  test('what the doctor says is done, and every component is as it should be', async () => {
    await doAsTheDoctorSays(m1, 'server');
    await expect(healthy(m1)).resolves.toBeUndefined();
  });

  test('pods find each other by name and answer at a Service and a node port', async () => {
    await expect(pods([m1])).resolves.toBeUndefined();
  });

  describe.each(row.machines === 2 ? ['another machine'] : [])('%s', () => {
    test('another machine joins by the line that the server prints', async () => {
      await joins(m2, m1);
      await doAsTheDoctorSays(m2, 'agent');
      await expect(settled()).resolves.toBeUndefined();
    });

    test('pods of both machines reach each other; logs and exec reach them through the server', async () => {
      await pods(machines());
      for (const one of machines()) await expect(healthy(one)).resolves.toBeUndefined();
    });
  });

  test('a pod with users of its own runs, or an event names the kernel that it takes', async () => {
    const seen = await seenByPod(m1, await image(), 'hostUsers: false');
    const isOld = (await m1.sh('uname -r')).startsWith('6.1.'); // tmpfs can be mapped from 6.3 on
    expect(seen).toMatch(isOld ? /^KernelLacksIDMappedMounts$/ : /^ +0 +[1-9]\d+ +65536$/m);
    report.note(seen.trim().replaceAll(/\s+/g, ' '));
  });

  describe.each(row.image.hardened ? ['hardened'] : [])('%s', () => {
    test("a pod is confined by AppArmor's default profile", async () => {
      const seen = await seenByPod(m1, await image(), 'securityContext: { appArmorProfile: { type: RuntimeDefault } }');
      expect(seen).toMatch(/^cri-containerd\.apparmor\.d \(enforce\)$/m);
    });
  });

  test('a limit of the unit bounds every component', async () => {
    const limit = 2048 * 1024 * 1024;
    await m1.sh(`systemctl set-property --runtime kagent.service MemoryMax=${limit}`);
    const { max, used, components } = await unitMemory(m1);
    expect({ max, components }).toEqual({
      max: limit,
      components: expect.arrayContaining(['containerd', 'kube-control-plane', 'kube-node']),
    });
    report.note(`${Math.round(used / 1024 / 1024)} MiB of 2048: ${components.join(', ')}`);
    await m1.sh('systemctl set-property --runtime kagent.service MemoryMax=infinity');
    await expect(healthy(m1)).resolves.toBeUndefined();
  });

  test('kagent restarted, the pods have not noticed', async () => {
    const running = await containers(m1);
    await m1.sh('systemctl restart kagent', { timeoutMs: 10 * minute });
    expect(await containers(m1)).toEqual(running);
    await settled();
  });

  test('rebooted with twenty pods that ignore SIGTERM: each had its hook and its end, and the node is back by itself', async () => {
    await runStubbornPods(m1, await image(), 20);
    const downMs = await m1.reboot();
    await settled();
    const ends = await endsOfStubbornPods(m1);
    report.note(`down after ${(downMs / 1000).toFixed(0)} s; ${JSON.stringify(ends)}`);
    expect(ends).toEqual({ hooks: 20, statuses: { 'Failed Terminated': 20 } });
    expect(downMs).toBeLessThan(90_000); // what systemd gives each of them
    await expect(pods(machines())).resolves.toBeUndefined();
  });

  test('a power cut under writes loses no write that was answered', async () => {
    const written = await acknowledgedWrites(m1);
    await m1.boot();
    await settled();
    const there = await kubectl(m1, 'get configmaps -l story=power-cut -o name');
    expect(written.filter((name) => !there.includes(`configmap/${name}\n`))).toEqual([]);
    report.note(`${written.length} writes`);
  });

  test('upgraded in place, it is the new version and the pods have not noticed', async () => {
    const running = await containers(m1);
    for (const one of machines()) await installOn(one, versions.new);
    for (const one of machines()) expect(await one.sh('kagent --version')).toContain(versions.new);
    await settled();
    expect(await containers(m1)).toEqual(running);
  });

  test('uninstalled, every machine is as it was', async () => {
    for (const one of machines().toReversed()) {
      await one.sh(`kagent${one === m1 ? '' : '-agent'}-uninstall.sh 2>&1`, { timeoutMs: 15 * minute });
      await takeOwnRulesBack(one);
    }
    const left = machines().map(async (one) => [one.name, await changesOn(one)] as const);
    expect(Object.fromEntries(await Promise.all(left))).toEqual(
      Object.fromEntries(machines().map(({ name }) => [name, {}])),
    );
  });

  describe.each(row.lab === true ? ['a lab'] : [])('%s', () => {
    test('kagent lab runs a cluster of two hosts inside the machine, whose pods reach each other', async () => {
      const program = `/mnt/release/v${versions.old}/kagent-${row.image.arch}`;
      const hosts = await labUp(m1, program);
      await expect(pods(hosts)).resolves.toBeUndefined();
      await m1.sh(`${program} lab down`);
      expect((await changesOn(m1)).processes).toBeUndefined();
    });
  });
});
