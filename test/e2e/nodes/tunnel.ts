import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Nodes } from '../../helpers/cluster.ts';
import { sessionsOf } from '../../helpers/nodes.ts';
import { kagentMemory } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';
import { extend } from '../workloads/extension.ts';

const shell = (node: string) => `
apiVersion: v1
kind: Pod
metadata: { name: shell-${node}, labels: { app: shell } }
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 1
  containers:
  - name: shell
    image: IMAGE
    command: [sh, -c, 'mkdir /www; hostname >/www/index.html; httpd -p 80 -h /www; i=0; while :; do echo line $i; i=$((i+1)); sleep 0.2; done']
`;

/** Several times what memory may grow by. The longer run, of which docs/testing.md tells: `KAGENT_COPY_MB=1000`. */
const copiedMb = Number(process.env['KAGENT_COPY_MB'] ?? 300);

/** What people do with a pod on another box. */
export function tunnelStories(nodes: () => Nodes): void {
  const server = () => nodes().server;
  const follow = (...args: readonly string[]) => server().run(['kagent', 'kubectl', ...args]);

  test('logs are followed as they are written', async () => {
    for (const node of ['a1', 'a2']) await server().apply(shell(node));
    await server().kubectl('wait', 'pod', '-l', 'app=shell', '--for=condition=Ready', '--timeout=60s');
    const logs = follow('logs', '-f', 'shell-a1');
    await eventually(() => /line \d+\s+line \d+\s+line \d+/.test(logs.output()), { what: 'three lines' });
    const seen = logs.output().length;
    await eventually(() => logs.output().length > seen, { what: 'a further line' });
    expect(logs.output()).toMatch(/^(line \d+\s)+/);
  });

  test('exec has a terminal, its input and its exit code', async () => {
    const typed = `printf 'tty; exit 7\\n' | script -qec 'kagent kubectl exec -it shell-a1 -- sh' /dev/null; echo code $?`;
    const said = await server().sh(typed);
    expect(said).toMatch(/\/dev\/pts\/\d/);
    expect(said).toContain('code 7');
    const { code } = await server().tryKubectl('exec', 'shell-a2', '--', 'sh', '-c', 'exit 3');
    expect(code).toBe(3);
  });

  test('attach shows what the process writes', async () => {
    const attached = follow('attach', 'shell-a2');
    const line = await eventually(() => /line \d+/.exec(attached.output())?.[0], { what: 'a line' });
    expect(line).toMatch(/line \d+/);
  });

  test('a port is forwarded', async () => {
    const forward = follow('port-forward', 'pod/shell-a2', '18080:80');
    await eventually(() => forward.output().includes('Forwarding from'), { what: 'the forwarded port' });
    expect(await server().sh('curl -sf -m 5 http://127.0.0.1:18080')).toBe('shell-a2\n');
  });

  test('kube-apiserver reaches a webhook and an aggregated API on pods of an agent', async () => {
    const [, a2] = nodes().agents;
    if (a2 === undefined) throw new Error('there is no second agent');
    expect(await extend(server(), a2)).toBe('greeting.greetings.example.org/hello\n');
  });

  test(`${copiedMb} MB are copied into a pod; memory stays, and so do the heartbeats`, async () => {
    const [a1] = nodes().agents;
    if (a1 === undefined) throw new Error('there is no agent');
    await server().sh(`head -c ${copiedMb}000000 /dev/urandom >/tmp/large`);
    const before = [kagentMemory(server()).anonymousMiB, kagentMemory(a1).anonymousMiB];
    const copied = server().kubectl('cp', '/tmp/large', 'shell-a1:/tmp/large');
    let isDone = false;
    const peaks = [...before];
    const look = async () => {
      while (!isDone) {
        [server(), a1].forEach(
          (box, index) => (peaks[index] = Math.max(peaks[index] ?? 0, kagentMemory(box).anonymousMiB)),
        );
        await delay(50);
      }
    };
    const looking = look();
    const sessions = await sessionsOf(server()); // one more would mean that heartbeats were missed
    await copied.finally(() => (isDone = true));
    await looking;
    const grown = peaks.map((peak, index) => peak - (before[index] ?? 0));
    expect(Math.max(...grown)).toBeLessThan(64);
    expect(await sessionsOf(server())).toEqual(sessions);
    const [here] = (await server().sh('sha256sum /tmp/large')).split(' ');
    const [there] = (await server().kubectl('exec', 'shell-a1', '--', 'sha256sum', '/tmp/large')).split(' ');
    expect(there).toBe(here);
    await server().sh('rm /tmp/large');
  });
}
