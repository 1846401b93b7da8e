/**
 * The stories of a machine's life on real kernels with systemd: `npm run test:machines`, or with `KAGENT_MACHINES` the rows
 * named there. Hours on emulated processors; what the last run gave is in docs/machines.md.
 */
import { mkdir, rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { differences, machineState, type BoxState } from '../helpers/box-state.ts';
import { busyboxImage } from '../helpers/cluster.ts';
import { hardenedInstallation } from './hardened.ts';
import { imageOf } from './image.ts';
import { machine, removeMachine, type Machine } from './machine.ts';
import { createReport } from './report.ts';
import { releaseDrive, releasedExecutable, versions } from './release.ts';
import { chosenRows } from './rows.ts';
import {
  acknowledgedWrites,
  containers,
  doAsTheDoctorSays,
  healthy,
  install,
  joinLine,
  kubectl,
  podsReachEachOther,
  ready,
  takeOwnRulesBack,
} from './stories.ts';

const minute = 60_000;

const stateOf = (one: Machine) => machineState((script) => one.sh(script));

describe.each(chosenRows(process.env['KAGENT_MACHINES']))('$name', (row) => {
  const dir = `/var/tmp/kagent-machines-${row.name}`;
  const before = new Map<Machine, BoxState>();
  const report = createReport(row);
  let m1: Machine;
  let m2: Machine;

  const machines = () => (row.machines === 2 ? [m1, m2] : [m1]);
  const settled = () => ready(m1, row.machines);
  const pods = async (hosts: readonly Machine[]) =>
    podsReachEachOther(hosts, await busyboxImage(releasedExecutable(row.image.arch)));
  const installOn = (one: Machine, version: string) => {
    const mode = one === m1 ? `server --flannel-backend=${row.backend}` : 'agent';
    return install(one, version, mode, row.image.hardened ? hardenedInstallation : '');
  };

  beforeEach(() => report.begin());
  afterEach(({ task }) => report.end(task.name, (task.result?.errors ?? []).length === 0));
  beforeAll(async () => {
    const image = await imageOf(row.image);
    const release = await releaseDrive(row.image.arch);
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const shared = { dir, arch: row.image.arch, image, cards: row.cards, release };
    m1 = machine({ ...shared, name: 'm1' });
    m2 = machine({ ...shared, name: 'm2' });
  });
  afterAll(async () => {
    report.write();
    if (process.env['KAGENT_MACHINES_KEEP'] !== undefined) return; // somebody wants to look
    for (const name of ['m1', 'm2']) await removeMachine(dir, name);
    await rm(dir, { recursive: true, force: true });
  });

  test('boot', async () => {
    await Promise.all(machines().map((one) => one.boot()));
    for (const one of machines()) {
      expect((await one.sh('systemctl is-system-running --wait || true')).trim()).toBe('running');
      before.set(one, await stateOf(one));
    }
    report.note((await m1.sh('uname -r; systemctl --version | head -1')).trim().replaceAll('\n', ', '));
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
      await m2.sh(await joinLine(m1), { timeoutMs: 15 * minute });
      await doAsTheDoctorSays(m2, 'agent');
      await expect(settled()).resolves.toBeUndefined();
    });

    test('pods of both machines reach each other; logs and exec reach them through the server', async () => {
      await pods(machines());
      for (const one of machines()) await expect(healthy(one)).resolves.toBeUndefined();
    });
  });

  test('kagent restarted, the pods have not noticed', async () => {
    const running = await containers(m1);
    await m1.sh('systemctl restart kagent', { timeoutMs: 10 * minute });
    expect(await containers(m1)).toEqual(running);
    await settled();
  });

  test('rebooted, it is back by itself with its pods', async () => {
    const downMs = await m1.reboot();
    await settled();
    await expect(pods(machines())).resolves.toBeUndefined();
    report.note(`down after ${(downMs / 1000).toFixed(0)} s`);
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
      await one.sh(`kagent${one === m1 ? '' : '-agent'}-uninstall.sh 2>&1`);
      await takeOwnRulesBack(one);
      expect({ [one.name]: differences(before.get(one) ?? {}, await stateOf(one)) }).toEqual({ [one.name]: {} });
    }
  });
});
