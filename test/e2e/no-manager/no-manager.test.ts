/** kagent where there is no service manager: Debians with cron, rc.local, and a first program that starts these two. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runPaths } from '../../../src/shared/paths.ts';
import { createServiceBoxes, toJoin } from '../../helpers/service-boxes.ts';
import type { ServiceBox, ServiceBoxes } from '../../helpers/service-boxes.ts';
import { eventually } from '../../helpers/wait.ts';

let boxes: ServiceBoxes;
let server: ServiceBox;
let agent: ServiceBox;

beforeAll(async () => {
  boxes = await createServiceBoxes('no-manager', 'none');
  ({ server, agent } = boxes);
});
afterAll(() => boxes?.wipe());

const pidIn = async (box: ServiceBox) => Number(await box.sh(`cat ${runPaths.pidFile}`));

const pod = (name: string, hostUsers: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  restartPolicy: Never
  ${hostUsers}
  securityContext: { runAsUser: 1000, runAsGroup: 1000 }
  containers:
    - { name: main, image: IMAGE, command: [sh, -c, 'stat -c "%a %n" / /etc; head -n 1 /etc/passwd'] }
`;

describe('a server started by cron', () => {
  test('is installed by one command, which ends when the node is Ready', async () => {
    expect(await server.install()).toMatch(/cron starts it at boot\n[^]*\nkagent is Ready\n/);
    expect(await pidIn(server)).toBe(await server.ready());
  });

  test('started once more it says that it runs, and keeps running', async () => {
    const pid = await server.ready();
    const { code, stderr } = await server.kagent(['server', '--daemonize']);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`kagent runs already (pid ${pid})`)]);
    expect(await server.ready()).toBe(pid);
  });

  test('comes back by itself after a power cut', async () => {
    await server.host.off();
    await server.host.up();
    const pid = await server.ready();
    expect(await pidIn(server)).toBe(pid);
  });

  test('killed, is started again by the same script though its pid file names a process that is another by now', async () => {
    const pid = await server.ready();
    await server.signal(pid, 'KILL');
    await eventually(async () => (await server.host.exec(['test', '-e', `/proc/${pid}`])).code === 1);
    const cron = (await server.sh('pgrep -x cron')).trim();
    await server.sh(`echo ${cron} >${runPaths.pidFile}`);
    await server.sh(`chmod 700 ${runPaths.dir}; umask 077; sh /etc/kagent/kagent.start`);
    expect(await server.ready()).not.toBe(pid);
    expect((await server.sh('pgrep -x cron')).trim()).toBe(cron);
  });

  test('started with umask 077, has pods whose users see their files, also with user namespaces of their own', async () => {
    await server.apply(pod('plain', ''));
    await server.apply(pod('mapped', 'hostUsers: false'));
    for (const name of ['plain', 'mapped']) {
      await server.kubectl('wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
      expect(await server.kubectl('logs', name)).toBe('755 /\n755 /etc\nroot:x:0:0:root:/root:/bin/sh\n');
    }
    expect(await server.sh('stat -c %a /run/kagent /etc/kagent')).toBe('711\n755\n');
  });
});

describe('an agent started by rc.local', () => {
  test('joins by the same command', async () => {
    await agent.sh("printf '#!/bin/sh -e\\nexit 0\\n' >/etc/rc.local && chmod 755 /etc/rc.local");
    expect(await agent.install('', await toJoin(server))).toMatch(
      /rc\.local starts it at boot\n[^]*\nkagent-agent is Ready\n/,
    );
  });

  test('comes back by itself after a power cut', async () => {
    await agent.host.off();
    await agent.host.up();
    await agent.ready();
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).toBe('node/a1\nnode/s1\n');
  });

  test('that was removed from its cluster is not started at the next boot', async () => {
    const pid = await agent.ready();
    await server.sh('kagent node rm a1 --force');
    await eventually(async () => (await agent.host.exec(['test', '-e', `/proc/${pid}`])).code === 1, {
      withinMs: 60_000,
      what: 'the end of the agent',
    });
    expect(await agent.sh('cat /etc/rc.local')).toBe('#!/bin/sh -e\nexit 0\n');
  });
});

test('uninstalled, cron knows nothing of it any more', async () => {
  await server.sh('kagent-uninstall.sh');
  expect(await server.sh('find /etc /usr/local -name "*kagent*"')).toBe('');
});
