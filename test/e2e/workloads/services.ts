import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

/** Asks again and again until `/tmp/enough` is there, then says how many answers came and how many did not. */
const askUntilEnough = (ask: string) =>
  `good=0; bad=0; while [ ! -e /tmp/enough ]; do if ${ask} >/dev/null; then good=$((good+1)); else bad=$((bad+1)); fi; sleep 0.05; done; echo $good $bad`;

/** The Deployment `web` with its Services and a client, up in a namespace. */
async function web(box: Box, namespace: string, nodePort: number) {
  const kubectl = (...args: readonly string[]) => box.kubectl('-n', namespace, ...args);
  const text = await readFile(manifest('web'), 'utf8');
  await box.apply(text.replace('30080', String(nodePort)), '-n', namespace);
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
  await kubectl('wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
  const clusterIp = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  const pods = async () => {
    const names = await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}');
    return names.split(' ').toSorted();
  };
  const inPod = (script: string) => kubectl('exec', 'client', '--', 'sh', '-c', script);
  return { kubectl, clusterIp, pods, inPod, nodeAddress: `${box.host.address}:${nodePort}` };
}

export function serviceStories(box: () => Box): void {
  const onHost = (script: string) => box().sh(script);

  test('a Deployment of three behind a Service answers in a pod and on the host, by ClusterIP, NodePort and name', async () => {
    const { clusterIp, nodeAddress, pods, inPod } = await web(box(), 'default', 30080);
    const expected = await pods();
    expect(expected).toHaveLength(3);
    const answering = async (where: typeof inPod, ask: string) => {
      const answers = await where(`for i in $(seq 40); do ${ask}; done`);
      return [
        ...new Set(
          answers
            .trim()
            .split('\n')
            .map((line) => line.split(' ', 1).join('')),
        ),
      ].toSorted();
    };
    for (const target of [clusterIp, nodeAddress]) {
      expect(await answering(inPod, `timeout 2 wget -q -O - http://${target}`)).toEqual(expected);
      expect(await answering(onHost, `curl -s -m 2 http://${target}`)).toEqual(expected);
    }
    expect(await inPod('nslookup web.default.svc.cluster.local')).toMatch(new RegExp(`Address:\\s+${clusterIp}`));
    expect(await inPod('timeout 2 wget -q -O - http://web')).toContain(' v1');
  });

  test('a rolling update lets no request fail', async () => {
    await box().kubectl('create', 'namespace', 'rolling');
    const { kubectl, clusterIp, nodeAddress, pods, inPod } = await web(box(), 'rolling', 30081);
    const asking = [
      inPod(askUntilEnough('timeout 2 wget -q -O - http://web')),
      onHost(askUntilEnough(`curl -sf -m 2 http://${clusterIp}`)),
      onHost(askUntilEnough(`curl -sf -m 2 http://${nodeAddress}`)),
    ];
    const before = await pods();
    await kubectl('set', 'env', 'deployment/web', 'VERSION=v2');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    // The last old pod is gone only some seconds after the roll-out says it is done.
    const areGone = async () => (await pods()).every((name) => !before.includes(name));
    await eventually(areGone, { withinMs: 60_000, what: 'the end of the old pods' });
    await Promise.all([inPod('touch /tmp/enough'), onHost('touch /tmp/enough')]);
    for (const counts of await Promise.all(asking)) {
      const [good = 0, bad] = counts.trim().split(' ').map(Number);
      expect(bad).toBe(0);
      expect(good).toBeGreaterThan(20);
    }
    expect(await inPod('timeout 2 wget -q -O - http://web')).toContain(' v2');
  });
}
