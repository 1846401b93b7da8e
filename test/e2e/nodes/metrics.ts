import { expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';

/** A pod that burns the quarter of a processor that it gets, while /tmp/burn is there. */
const busy = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: busy }
spec:
  selector: { matchLabels: { app: busy } }
  template:
    metadata: { labels: { app: busy } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: busy
        image: IMAGE
        command: [sh, -c, 'touch /tmp/burn; while :; do [ -e /tmp/burn ] || sleep 1; done']
        resources: { requests: { cpu: 50m }, limits: { cpu: 250m } }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: busy }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: busy }
  minReplicas: 1
  maxReplicas: 2
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 100 } } }]
  behavior: { scaleDown: { stabilizationWindowSeconds: 0 } }
`;

/** metrics-server, which asks nodes whose every port is closed. */
export function metricsStories(nodes: () => Nodes): void {
  const top = async (...args: readonly string[]) => {
    const { stdout } = await nodes().server.tryKubectl('top', ...args, '--no-headers');
    return stdout.trim().split('\n');
  };

  test('kubectl top shows what nodes and pods use', async () => {
    const isShown = (row: string) => /^(s1|a1|a2)\s+\d+m\s+\d+%\s+[1-9]\d*Mi\s+\d+%/.test(row);
    await eventually(async () => (await top('nodes')).filter(isShown).length === 3, {
      withinMs: 90_000,
      what: 'the figures of three nodes',
    });
    expect((await top('pods', '-A')).some((row) => /^kube-system\s+coredns-\S+\s+\d+m\s+[1-9]\d*Mi/.test(row))).toBe(
      true,
    );
  });

  test('an autoscaler follows the load up and down', async () => {
    expect(await followsTheLoad(nodes().server)).toEqual(['2', '1']);
  });
}

/** @returns how many replicas an autoscaler wants under load, and when there is none any more */
export async function followsTheLoad(box: Box): Promise<readonly string[]> {
  const kubectl = (...args: readonly string[]) => box.kubectl(...args);
  await box.apply(busy);
  const replicas = () => kubectl('get', 'deployment', 'busy', '-o', 'jsonpath={.spec.replicas}');
  const until = (wanted: string) =>
    eventually(async () => (await replicas()) === wanted, { withinMs: 150_000, what: `${wanted} replicas` });
  await until('2');
  const underLoad = await replicas();
  await kubectl('rollout', 'status', 'deployment/busy', '--timeout=60s');
  const pods = (await kubectl('get', 'pods', '-l', 'app=busy', '-o', 'name')).trim().split('\n');
  for (const pod of pods) await kubectl('exec', pod, '--', 'rm', '/tmp/burn');
  await until('1');
  const withoutLoad = await replicas();
  await kubectl('delete', 'deployment,hpa', 'busy', '--wait=false');
  return [underLoad, withoutLoad];
}
