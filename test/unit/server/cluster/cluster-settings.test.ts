import { expect, test } from 'vitest';
import { keepClusterSettings } from '../../../../src/server/cluster/cluster-settings.ts';
import type { ClusterSettings } from '../../../../src/shared/protocol/join.ts';
import { clusterSettings } from '../../../helpers/join-server.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';

const serviceCidrPath = '/apis/networking.k8s.io/v1/servicecidrs/kubernetes';
const inSystem = '/api/v1/namespaces/kube-system';

/** What a cluster with the usual settings has. */
const usualObjects: Readonly<Record<string, unknown>> = {
  [serviceCidrPath]: { spec: { cidrs: ['10.43.0.0/16'] } },
  '/api/v1/nodes': { items: [{ spec: { podCIDR: '10.42.0.0/24' } }, { spec: {} }] },
  [`${inSystem}/services/kube-dns`]: { spec: { clusterIP: '10.43.0.10' } },
  [`${inSystem}/configmaps/coredns`]: {
    data: { Corefile: '.:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n    }\n}\n' },
  },
};

function cluster(objects: Readonly<Record<string, unknown>> = {}) {
  const store = memoryKeyValue();
  const kube = { find: <T>(path: string) => Promise.resolve(objects[path] as T | undefined) };
  const start = async (changes: Partial<ClusterSettings> = {}) => {
    const kept = keepClusterSettings({ store, kube, settings: { ...clusterSettings, ...changes } });
    await kept.compared.start(new AbortController().signal);
    await kept.recorded.start(new AbortController().signal);
  };
  return { start, store };
}

const changes = [
  [{ clusterCidr: '10.52.0.0/16' }, 'cluster-cidr is 10.52.0.0/16, but the cluster was made with 10.42.0.0/16'],
  [{ serviceCidr: '10.53.0.0/16' }, 'service-cidr is 10.53.0.0/16, but the cluster was made with 10.43.0.0/16'],
  [{ clusterDns: '10.43.0.53' }, 'cluster-dns is 10.43.0.53, but the cluster was made with 10.43.0.10'],
  [{ clusterDomain: 'corp.lan' }, 'cluster-domain is corp.lan, but the cluster was made with cluster.local'],
] as const;

test.each(changes)('a cluster that exists refuses %j before anything is served', async (change, sentence) => {
  const { start, store } = cluster();
  await start();
  const kept = keepClusterSettings({
    store,
    kube: { find: () => Promise.reject(new Error('nothing is asked of kube-apiserver')) },
    settings: { ...clusterSettings, ...change },
  });
  const refused = kept.compared.start(new AbortController().signal);
  await expect(refused).rejects.toMatchObject({ code: 'CONFIG_CLUSTER_SETTING' });
  await expect(refused).rejects.toThrow(sentence);
  await start(); // and nothing was written that would keep the right ones out
});

test('all that differs is said at once', async () => {
  const { start } = cluster();
  await start();
  const both = start({ serviceCidr: '10.53.0.0/16', clusterDns: '10.53.0.10' });
  await expect(both).rejects.toThrow(
    /service-cidr is 10\.53.* 10\.43\.0\.0\/16; cluster-dns is 10\.53.* 10\.43\.0\.10:/,
  );
});

test('what may change between starts does', async () => {
  const { start } = cluster();
  await start();
  const changed = start({ flannelBackend: 'host-gw', disableKubeProxy: true, disableCoredns: true });
  await expect(changed).resolves.toBeUndefined();
});

test('a cluster of before the record gets one that its objects agree with', async () => {
  const { start } = cluster(usualObjects);
  await start();
  await expect(start({ clusterDomain: 'corp.lan' })).rejects.toThrow('made with cluster.local');
});

test.each([
  [{ clusterCidr: '10.52.0.0/16' }, 'made with a range that holds 10.42.0.0/24, which a node has'],
  [{ serviceCidr: '10.53.0.0/16' }, 'made with 10.43.0.0/16'],
  [{ clusterDns: '10.43.0.53' }, 'made with 10.43.0.10'],
  [{ clusterDomain: 'corp.lan' }, 'made with cluster.local'],
] as const)(
  'one of before the record whose first start says %j refuses that, and keeps nothing',
  async (change, said) => {
    const { start, store } = cluster(usualObjects);
    await expect(start(change)).rejects.toThrow(said);
    expect([...store.all]).toEqual([]);
    await start();
  },
);

test("a DNS that is not kagent's says nothing of the settings", async () => {
  const { start } = cluster({ [`${inSystem}/services/kube-dns`]: { spec: { clusterIP: '10.43.7.7' } } });
  await expect(start({ disableCoredns: true })).resolves.toBeUndefined();
});
