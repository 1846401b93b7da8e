/** A k3s user's first day on a server alone; on one with two agents it is the first of the stories of three hosts. */
import { describe, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import { shared } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { firstDay } from './day.ts';

const theCluster = shared(async () => ({
  ...(await createNodes('k3s-day-one', { agents: 0 })),
  readyAtMs: performance.now(),
}));

describe('the first day', () => {
  firstDay(theCluster);
});

test('a HelmChartConfig gives Traefik another port; a value that it does not take is refused by name', async () => {
  const { server } = theCluster();
  const config = (valuesContent: string) =>
    server.apply(
      JSON.stringify({
        apiVersion: 'helm.cattle.io/v1',
        kind: 'HelmChartConfig',
        metadata: { name: 'traefik', namespace: 'kube-system' },
        spec: { valuesContent },
      }) + '\n',
    );
  await config('ports: {web: {exposedPort: 8088}}');
  const answer = async () =>
    await server.sh(`curl -s -m 5 -o /dev/null -w '%{http_code}' http://${server.host.address}:8088/ || true`);
  await eventually(async () => (await answer()) === '404', { withinMs: 60_000, what: 'port 8088' });
  await config('dashboard: {enabled: true}');
  const events = ['get', 'events', '-n', 'kube-system', '--field-selector', 'reason=ValuesRefused'] as const;
  const said = async () => await server.kubectl(...events, '-o', 'jsonpath={.items[*].message}');
  await eventually(async () => (await said()).startsWith('the value dashboard for traefik: '), { what: 'the event' });
  expect(await answer()).toBe('404');
});
