import { expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

/** The commands that reach into a pod: from kube-apiserver through the kubelet to containerd. */
export function commandStories(box: () => Box): void {
  const namespace = 'commands';
  const kubectl = (...args: readonly string[]) => box().kubectl('-n', namespace, ...args);

  test('exec, logs -f, port-forward and cp reach into a pod', async () => {
    await box().kubectl('create', 'namespace', namespace);
    await box().apply(manifest('page'), '-n', namespace);
    await box().apply(manifest('ticker'), '-n', namespace);
    await kubectl('wait', 'pod/page', 'pod/ticker', '--for=condition=Ready', '--timeout=60s');

    const following = box().run(['kagent', 'kubectl', '-n', namespace, 'logs', '-f', 'ticker']);
    for (const i of [1, 2, 3]) {
      await eventually(() => following.output().includes(`tick ${i}`), { what: `line ${i}` });
      // Only then it says the next line, or ends, and may take the last of these commands along.
      await box().tryKubectl('-n', namespace, 'exec', 'ticker', '--', 'sh', '-c', 'echo >/tmp/go');
    }
    expect(await following.exited).toBe(0);
    expect(following.output()).toBe('tick 1\ntick 2\ntick 3\n');

    expect(await kubectl('exec', 'page', '--', 'sh', '-c', 'echo $((6 * 7))')).toBe('42\n');
    const failing = await box().tryKubectl('-n', namespace, 'exec', 'page', '--', 'sh', '-c', 'exit 7');
    expect(failing.code).toBe(7);

    const forwarding = box().run(['kagent', 'kubectl', '-n', namespace, 'port-forward', 'page', '18080:8080']);
    await eventually(() => forwarding.output().includes('Forwarding from'), { what: 'port-forward' });
    expect(await box().sh('curl -s -m 5 http://127.0.0.1:18080')).toBe('a page\n');

    await box().sh('head -c 3000000 /dev/urandom >/tmp/sent');
    await kubectl('cp', '/tmp/sent', 'page:/tmp/sent');
    await kubectl('cp', 'page:/tmp/sent', '/tmp/received');
    await box().sh('cmp /tmp/sent /tmp/received');
  });
}
