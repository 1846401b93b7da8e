/**
 * The stories of a machine's life on real kernels with systemd: `npm run test:machines`, or with `KAGENT_MACHINES` the rows
 * named there. Hours on emulated processors; what the last run gave is in docs/machines.md.
 */
import { mkdir, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, type BoxState } from '../helpers/box-state.ts';
import { eventually } from '../helpers/wait.ts';
import { imageOf } from './image.ts';
import { machine, removeMachine, type Machine } from './machine.ts';
import { createReport } from './report.ts';
import { releaseDrive, versions } from './release.ts';
import { chosenRows } from './rows.ts';
import { machineState } from './state.ts';
import { acknowledgedWrites, containers, install, joinLine, kubectl, podsReachEachOther, ready } from './stories.ts';

const minute = 60_000;

describe.each(chosenRows(process.env['KAGENT_MACHINES']))('$name', (row) => {
  const dir = `/var/tmp/kagent-machines-${row.name}`;
  const before = new Map<Machine, BoxState>();
  const report = createReport(row);
  let m1: Machine;
  let m2: Machine;

  /** A story, timed for the table. */
  const story = (name: string, run: () => Promise<string | undefined>, minutes = 20) =>
    test(name, () => report.measure(name, run), minutes * minute);

  beforeAll(async () => {
    const image = await imageOf(row.image);
    const release = await releaseDrive(row.image.arch);
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const shared = { dir, arch: row.image.arch, image, cards: row.cards, release };
    m1 = machine({ ...shared, name: 'm1' });
    m2 = machine({ ...shared, name: 'm2' });
  }, 30 * minute);
  afterAll(async () => {
    report.write();
    for (const name of ['m1', 'm2']) await removeMachine(dir, name);
    if (process.env['KAGENT_MACHINES_KEEP'] === undefined) await rm(dir, { recursive: true, force: true });
  });

  story('the machines boot', async () => {
    await Promise.all([m1.boot(), m2.boot()]);
    for (const one of [m1, m2]) {
      expect((await one.sh('systemctl is-system-running --wait || true')).trim()).toBe('running');
      before.set(one, await machineState(one));
    }
    return (await m1.sh('uname -r; systemctl --version | head -1')).trim().replaceAll('\n', ', ');
  });

  story('a server is installed from a folder, without a network, and its node is Ready', async () => {
    const said = await install(m1, versions.old, `server --flannel-backend=${row.backend}`);
    expect(said).toContain('kagent is installed');
  });

  story('what the doctor finds it repairs, and then nothing is left that keeps pods from working', async () => {
    await m1.exec('kagent doctor --fix server');
    await m1.sh('kagent status');
    await eventually(async () => (await m1.exec('kagent status')).code === 0, { withinMs: 5 * minute, what: 'status' });
  });

  story('pods are made, find each other by name and answer at a Service and a node port', async () => {
    await podsReachEachOther(m1, [m1]);
  });

  story('another machine joins by the line that the server prints', async () => {
    await m2.sh(await joinLine(m1), { timeoutMs: 15 * minute });
    await m2.exec('kagent doctor --fix agent');
    await ready(m1, 2);
  });

  story('pods of both machines reach each other, and logs and exec reach them through the server', async () => {
    await podsReachEachOther(m1, [m1, m2]);
    const status = await m1.sh('kagent node ls');
    expect(status).not.toMatch(/NotReady|Unreachable/);
  });

  story('kagent restarted, the pods have not noticed', async () => {
    const running = await containers(m1);
    await m1.sh('systemctl restart kagent');
    expect(await containers(m1)).toEqual(running);
    await ready(m1, 2);
  });

  story('rebooted, it is back by itself with its pods', async () => {
    const downMs = await m1.reboot();
    await ready(m1, 2);
    await podsReachEachOther(m1, [m1, m2]);
    return `down after ${(downMs / 1000).toFixed(0)} s`;
  });

  story('a power cut under writes loses no write that was answered', async () => {
    const written = await acknowledgedWrites(m1);
    await m1.boot();
    await ready(m1, 2);
    const there = await kubectl(m1, 'get configmaps -l story=power-cut -o name');
    for (const name of written) expect(there).toContain(`configmap/${name}\n`);
    return `${written.length} writes`;
  });

  story('upgraded in place, it is the new version and the pods have not noticed', async () => {
    const running = await containers(m1);
    for (const one of [m1, m2]) {
      await install(one, versions.new, one === m1 ? `server --flannel-backend=${row.backend}` : 'agent');
    }
    expect(await m1.sh('kagent --version')).toContain(versions.new);
    await ready(m1, 2);
    expect(await containers(m1)).toEqual(running);
  });

  story('uninstalled, both machines are as they were', async () => {
    await m2.sh('kagent-agent-uninstall.sh 2>&1');
    await m1.sh('kagent-uninstall.sh 2>&1');
    for (const one of [m1, m2]) {
      const left = differences(before.get(one) ?? {}, await machineState(one));
      expect(left, one.name).toEqual({});
    }
  });
});
