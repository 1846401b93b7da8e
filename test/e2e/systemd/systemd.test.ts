/** kagent under a real systemd: the boxes are Debians whose first process it is. */
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeEnvironment } from '../../../src/host/service/env-file.ts';
import { unitText } from '../../../src/host/service/systemd.ts';
import { DiskFaults } from '../../helpers/disk-faults/disk-faults.ts';
import { createServiceBoxes, toJoin } from '../../helpers/service-boxes.ts';
import type { ServiceBox, ServiceBoxes } from '../../helpers/service-boxes.ts';
import { serviceWord } from '../../helpers/service-words.ts';
import { eventually } from '../../helpers/wait.ts';

let boxes: ServiceBoxes;
let server: ServiceBox;
let agent: ServiceBox;

beforeAll(async () => {
  boxes = await createServiceBoxes('systemd', 'systemd');
  ({ server, agent } = boxes);
});
afterAll(() => boxes?.wipe());

/** `systemctl show`, as a map. */
async function shown(box: ServiceBox, unit: string, ...properties: readonly string[]): Promise<Record<string, string>> {
  const text = await box.sh(`systemctl show ${unit} --property ${properties.join(',')}`);
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

/** The paths of a program's cgroups for memory, or of its only one. */
async function cgroupsOf(box: ServiceBox, name: string): Promise<readonly string[]> {
  const text = await box.sh(`cat /proc/$(pidof -s ${name})/cgroup`);
  return text.split('\n').flatMap((line) => /^\d+:(?:memory)?:(.*)$/.exec(line)?.[1] ?? []);
}

async function statusOf(box: ServiceBox, pod: string): Promise<Record<string, string>> {
  return (JSON.parse(await box.kubectl('get', 'pod', pod, '-o', 'json')) as { status: Record<string, string> }).status;
}

describe('a server', () => {
  test('is installed by one command, which shows what systemd knows meanwhile and ends when the node is Ready', async () => {
    expect(await server.install()).toMatch(/systemd starts it at boot\n[^]*waiting for[^]*\nkagent is Ready\n/);
    expect(await server.sh('systemctl is-system-running')).toBe('running\n');
    await server.kubectl('-n', 'kube-system', 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  });

  test('has a unit that systemd reads as it is meant, and a status of its own words', async () => {
    const properties = [
      'Type',
      'Delegate',
      'KillMode',
      'LimitNOFILE',
      'TasksMax',
      'Restart',
      'ActiveState',
      'StatusText',
    ];
    expect(await shown(server, 'kagent', ...properties)).toEqual({
      Type: 'notify',
      Delegate: 'yes',
      KillMode: 'process',
      LimitNOFILE: '1048576',
      TasksMax: 'infinity',
      Restart: 'always',
      ActiveState: 'active',
      StatusText: 'the node is Ready',
    });
    expect(await server.sh('systemctl status kagent --no-pager')).toMatch(/Main PID: \d+ \(kagent\)/);
  });

  test('whose disk fails ends with the name of the file, and is back when the disk is, with all that was acknowledged', async () => {
    const work = server.path('/opt/disk-faults');
    mkdirSync(work, { recursive: true });
    const dropIn = '/run/systemd/system/kagent.service.d';
    const faults = DiskFaults.in('/var/lib/kagent/server/db', work);
    const inBox = Object.entries(faults.env).map(([name, value]) => [name, value.replace(work, '/opt/disk-faults')]);
    await server.sh(`mkdir -p ${dropIn}`);
    const environment = inBox.map(([name, value]) => `Environment=${name}=${value}\n`).join('');
    writeFileSync(server.path(`${dropIn}/faults.conf`), `[Service]\n${environment}`);
    await server.sh('systemctl daemon-reload && systemctl restart kagent');
    const pid = await server.ready();
    await server.kubectl('create', 'configmap', 'acknowledged');
    faults.arm({ calls: ['sync'], kind: 'EIO', times: Infinity, part: 'store.db-wal' });
    const restarts = async () => Number((await shown(server, 'kagent', 'NRestarts'))['NRestarts']);
    await eventually(async () => (await restarts()) > 1, { withinMs: 60_000, what: 'a start on the broken disk' });
    expect(await server.sh('journalctl -u kagent -o cat --no-pager')).toMatch(
      /\/var\/lib\/kagent\/server\/db\/store\.db.*look at the disk \(df, mount, dmesg\)/,
    );
    faults.disarm();
    expect(await server.ready()).not.toBe(pid);
    expect(await server.kubectl('get', 'configmap', 'acknowledged', '-o', 'name')).toBe('configmap/acknowledged\n');
    faults.close();
    await server.sh(`rm -r ${dropIn} /opt/disk-faults && systemctl daemon-reload && systemctl restart kagent`);
    await server.ready();
  });

  test("has its components in cgroups below the unit's own, where systemd shows and bounds them", async () => {
    for (const name of ['kube-control-plane', 'kube-node', 'containerd']) {
      const [path = ''] = await cgroupsOf(server, name);
      expect(path).toMatch(new RegExp(`/kagent\\.service/${name}$`));
    }
    expect(await server.sh('find /sys/fs/cgroup -maxdepth 2 -type d -name kagent')).toBe('');
  });

  test('restarted, it is another process and the pods have not noticed', async () => {
    const [pid, containers] = [await server.ready(), await server.containers()];
    expect(containers).not.toEqual(['']);
    await server.sh('systemctl restart kagent'); // returns when it is Ready: Type=notify
    expect((await server.status()).isStarted).toBe(true);
    expect((await server.status()).pid).not.toBe(pid);
    expect(await server.containers()).toEqual(containers);
  });

  test('killed, it is started again by systemd, and the pods have not noticed', async () => {
    const [pid, containers] = [await server.ready(), await server.containers()];
    await server.signal(pid, 'KILL');
    await eventually(async () => (await shown(server, 'kagent', 'NRestarts'))['NRestarts'] === '1', {
      withinMs: 30_000,
      what: 'the restart',
    });
    expect(await server.ready()).not.toBe(pid);
    expect(await server.containers()).toEqual(containers);
  });

  test('that cannot start says why in its status and in the journal as an error, and is not tried again', async () => {
    await server.sh("echo 'nonsense: 1' >/etc/kagent/config.yaml");
    expect((await server.host.exec(['systemctl', 'restart', 'kagent'])).code).not.toBe(0);
    const why = "/etc/kagent/config.yaml line 1: there is no setting 'nonsense'";
    expect(await shown(server, 'kagent', 'ActiveState', 'SubState', 'ExecMainStatus', 'StatusText')).toEqual({
      ActiveState: 'failed', // and not 'activating' with 'auto-restart', which is how the next attempt is waited for
      SubState: 'failed',
      ExecMainStatus: '2',
      StatusText: why,
    });
    expect(await server.sh('journalctl --unit kagent --priority err --output cat --no-pager')).toContain(why);
    expect(await server.sh('journalctl --unit kagent --priority info --output cat --no-pager')).toMatch(
      /Z info {2}ready/,
    );
    await server.sh('rm /etc/kagent/config.yaml && systemctl restart kagent');
  });

  test('whose port is taken says by whom and is tried again every few seconds, until the port is free', async () => {
    await server.sh('systemctl stop kagent');
    const listen =
      'use IO::Socket::INET; our $s = IO::Socket::INET->new(LocalPort => 6443, Listen => 1, ReuseAddr => 1) or die; sleep';
    const other = server.host.start(['perl', '-e', listen]);
    await eventually(() => server.sh("ss -Hltn 'sport = :6443' | grep -q . && echo it listens"));
    await server.host.exec(['systemctl', 'start', 'kagent']);
    expect(await shown(server, 'kagent', 'SubState', 'ExecMainStatus', 'RestartUSec', 'StatusText')).toEqual({
      SubState: 'auto-restart',
      ExecMainStatus: '1',
      RestartUSec: '5s',
      StatusText: expect.stringMatching(/6443.* perl/),
    });
    const closed = once(other, 'close');
    await server.sh('pkill perl');
    await closed;
    await server.ready();
  });

  test('is stopped alone, then its pods by kagent-killall.sh', async () => {
    const containers = async () => (await server.host.exec(['pgrep', '-f', '^/coredns'])).stdout.trim();
    const coredns = await containers();
    await server.sh('systemctl stop kagent');
    expect(await shown(server, 'kagent', 'ActiveState', 'Result')).toEqual({
      ActiveState: 'inactive',
      Result: 'success',
    });
    expect([coredns, await containers()]).toEqual([expect.stringMatching(/^\d+$/), coredns]);
    await server.sh('kagent-killall.sh');
    expect(await containers()).toBe('');
    expect(await server.sh("grep -c 'kubelet/pods\\|containerd/io' /proc/mounts || true")).toBe('0\n');
  });

  test('ends pods before a reboot as they ask, even stubborn ones, and their status says why', async () => {
    await server.sh('systemctl start kagent');
    await server.apply(join(import.meta.dirname, 'ends.yaml'));
    await server.kubectl('wait', '--for=condition=Ready', 'pod/polite', 'pod/stubborn', '--timeout=60s');
    const downMs = await server.reboot('systemctl reboot');
    console.log(`down after ${Math.round(downMs)} ms`);
    expect(downMs).toBeLessThan(60_000); // 22 s when the machine does nothing else; systemd itself would wait for 90
    expect(await server.sh('cat /var/ends/polite')).toBe('hook\nSIGTERM\n');
    await server.ready();
    for (const name of ['polite', 'stubborn']) {
      const { phase, reason, message } = await statusOf(server, name);
      expect([name, phase, reason, message]).toEqual([
        name,
        'Failed',
        'Terminated',
        'Pod was terminated in response to imminent node shutdown.',
      ]);
    }
  });

  test('has come back by itself after the reboot, with its own pods', async () => {
    expect(await server.kubectl('wait', '--for=condition=Ready', 'node/s1')).toContain('condition met');
    await server.kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s');
  });
});

describe('an agent', () => {
  test('joins by the same command', async () => {
    expect(await agent.install('', await toJoin(server))).toContain('kagent-agent is Ready');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/a1\nnode/s1\n');
  });

  test('that was removed from its cluster is not started again, not by a reboot either', async () => {
    await server.sh('kagent node rm a1 --force');
    const ended = { ActiveState: 'failed', SubState: 'failed', ExecMainStatus: '3' };
    await eventually(async () => (await shown(agent, 'kagent-agent', 'ActiveState'))['ActiveState'] === 'failed', {
      withinMs: 60_000,
    });
    expect(await shown(agent, 'kagent-agent', ...Object.keys(ended))).toEqual(ended);
    expect((await agent.host.exec(['systemctl', 'is-enabled', 'kagent-agent'])).stdout).toBe('disabled\n');
    await agent.reboot('systemctl reboot');
    await eventually(async () => (await agent.sh('systemctl is-system-running --wait')) === 'running\n', {
      withinMs: 60_000,
    });
    expect(await shown(agent, 'kagent-agent', 'ActiveState')).toEqual({ ActiveState: 'inactive' });
  });

  test('started by a person it joins anew', async () => {
    expect(await agent.install()).toContain('kagent-agent is Ready');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/a1\nnode/s1\n');
  });
});

test('whatever a word has in it, systemd passes it to the program as it was, from ExecStart= and from an environment file', async () => {
  const samples = fc.sample(serviceWord, 60);
  await server.sh('mkdir -p /run/words');
  const folder = server.path('/run/words');
  const program = '#!/bin/sh\nprintf "%s\\0" "$KAGENT_WORD" "$@" >"/run/words/$OUT"\n';
  writeFileSync(join(folder, 'program'), program, { mode: 0o755 });
  const units = server.path('/run/systemd/system');
  for (const [index, word] of samples.entries()) {
    writeFileSync(join(folder, `${index}.env`), mergeEnvironment('', { KAGENT_WORD: word }));
    const text = unitText(
      { name: `words-${index}`, executable: '/run/words/program', args: [word, 'end'] },
      `/run/words/${index}.env`,
    );
    writeFileSync(
      join(units, `words-${index}.service`),
      text.replace('Type=notify', `Type=oneshot\nEnvironment=OUT=${index}`).replace('Restart=always', 'Restart=no'),
    );
  }
  await server.sh(
    `systemctl daemon-reload && systemctl start ${samples.map((_, index) => `words-${index}`).join(' ')}`,
  );
  const read = samples.map((_, index) => readFileSync(join(folder, String(index)), 'utf8'));
  await server.sh('rm -r /run/words /run/systemd/system/words-* && systemctl daemon-reload');
  expect(read).toEqual(samples.map((word) => `${word}\0${word}\0end\0`));
});

test('uninstalled, systemd knows nothing of it any more', async () => {
  await server.sh('kagent-uninstall.sh');
  expect(await shown(server, 'kagent', 'LoadState', 'NeedDaemonReload')).toEqual({
    LoadState: 'not-found',
    NeedDaemonReload: 'no',
  });
  expect(
    await server.sh("systemctl list-units --all --plain --no-legend 'kagent*'; systemctl --failed --no-legend"),
  ).toBe('');
  expect(await server.sh('find /etc /usr/local -name "*kagent*"')).toBe('');
});
