/** kagent under a real OpenRC: the boxes are Debians whose first process is its init. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServiceBoxes, toJoin } from '../../helpers/service-boxes.ts';
import type { ServiceBox, ServiceBoxes } from '../../helpers/service-boxes.ts';
import { eventually } from '../../helpers/wait.ts';

let boxes: ServiceBoxes;
let server: ServiceBox;
let agent: ServiceBox;

beforeAll(async () => {
  boxes = await createServiceBoxes('openrc', 'openrc');
  ({ server, agent } = boxes);
});
afterAll(() => boxes?.wipe());

const reboot = 'openrc-shutdown --reboot now';

/** `rc-service NAME status`: 'started', 'stopped', 'crashed'. */
async function stateOf(box: ServiceBox, name: string): Promise<string> {
  const { stdout, stderr } = await box.host.exec(['rc-service', '--nocolor', name, 'status']);
  return /status: (\w+)/.exec(stdout + stderr)?.[1] ?? stdout + stderr;
}

const untilStopped = (box: ServiceBox, name: string) =>
  eventually(async () => (await stateOf(box, name)) === 'stopped', { withinMs: 60_000, what: `a stopped ${name}` });

const inDefaultRunlevel = (box: ServiceBox) => box.sh('rc-update show default');

describe('a server', () => {
  test('is installed by one command, in the default runlevel, and without a complaint of OpenRC', async () => {
    const said = await server.install();
    expect(said).toMatch(/OpenRC starts it at boot\n[^]*waiting for[^]*\nkagent is Ready\n/);
    expect(await inDefaultRunlevel(server)).toContain('kagent |');
    expect(await stateOf(server, 'kagent')).toBe('started');
    expect(await server.sh('rc-service kagent restart 2>&1')).not.toMatch(/error|unable|\* WARNING/i);
    await server.ready();
    await server.kubectl('-n', 'kube-system', 'wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  });

  test('has as many open files as the box allows', async () => {
    const limits = await server.sh(`cat /proc/${await server.ready()}/limits`);
    const [, soft, hard] = /^Max open files +(\d+) +(\d+)/m.exec(limits) ?? [];
    expect(soft).toBe(hard);
  });

  test('restarted, it is another process and the pods have not noticed', async () => {
    const [pid, containers] = [await server.ready(), await server.containers()];
    expect(containers).not.toEqual(['']);
    await server.sh('rc-service kagent restart');
    expect(await server.ready()).not.toBe(pid);
    expect(await server.containers()).toEqual(containers);
  });

  test('killed, it is started again by supervise-daemon, and the pods have not noticed', async () => {
    const [pid, containers] = [await server.ready(), await server.containers()];
    await server.signal(pid, 'KILL');
    await eventually(async () => (await server.status()).pid !== pid, { withinMs: 30_000, what: 'another process' });
    await server.ready();
    expect(await server.containers()).toEqual(containers);
  });

  test('with a setting that does not exist is stopped after one attempt, and its log says why', async () => {
    await server.sh("rc-service kagent stop && : >/var/log/kagent.log && echo 'nonsense: 1' >/etc/kagent/config.yaml");
    await server.sh('rc-service kagent start');
    await untilStopped(server, 'kagent');
    expect(await server.sh('cat /var/log/kagent.log')).toBe(
      "kagent: /etc/kagent/config.yaml line 1: there is no setting 'nonsense'\n",
    );
    expect(await inDefaultRunlevel(server)).toContain('kagent |');
    await server.sh('rm /etc/kagent/config.yaml');
  });

  test('ends pods before a reboot as they ask, and comes back by itself with them', async () => {
    await server.sh('rc-service kagent start');
    await server.ready();
    await server.apply(join(import.meta.dirname, '../systemd/ends.yaml'));
    await server.kubectl('wait', '--for=condition=Ready', 'pod/polite', 'pod/stubborn', '--timeout=60s');
    const downMs = await server.reboot(reboot);
    console.log(`down after ${Math.round(downMs)} ms`);
    expect(downMs).toBeLessThan(60_000);
    expect(await server.sh('cat /var/ends/polite')).toBe('hook\nSIGTERM\n');
    await server.ready();
    await server.kubectl('wait', '--for=condition=Ready', 'pod/polite', 'pod/stubborn', '--timeout=60s');
    expect(await server.kubectl('wait', '--for=condition=Ready', 'node/s1')).toContain('condition met');
  });
});

describe('an agent', () => {
  test('joins by the same command', async () => {
    expect(await agent.install('', await toJoin(server))).toContain('kagent-agent is Ready');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/a1\nnode/s1\n');
  });

  test('that was removed from its cluster is not started again, not by a reboot either', async () => {
    await server.sh('kagent node rm a1 --force');
    await untilStopped(agent, 'kagent-agent');
    expect(await inDefaultRunlevel(agent)).not.toContain('kagent-agent');
    expect(await agent.sh('tail -n 1 /var/log/kagent-agent.log')).toMatch(
      /kagent-agent does not start at boot any more/,
    );
    await agent.reboot(reboot);
    await eventually(async () => (await agent.sh('rc-status --runlevel')) === 'default\n');
    expect(await stateOf(agent, 'kagent-agent')).toBe('stopped');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/s1\n');
  });

  test('started by a person it joins anew', async () => {
    expect(await agent.install()).toContain('kagent-agent is Ready');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/a1\nnode/s1\n');
  });
});

test('uninstalled, OpenRC knows nothing of it any more', async () => {
  await server.sh('kagent-uninstall.sh');
  expect(await inDefaultRunlevel(server)).not.toContain('kagent');
  expect(await server.sh('rc-status --all 2>/dev/null')).not.toContain('kagent');
  expect(await server.sh('find /etc /usr/local -name "*kagent*"')).toBe('');
});
