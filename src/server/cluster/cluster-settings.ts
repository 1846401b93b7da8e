/**
 * What a cluster was made with stays: Services have addresses of its ranges, pods and certificates its DNS address and
 * names. It is kept in the datastore, so that it goes with a snapshot to wherever that is restored.
 */
import { task } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { KagentError } from '../../shared/errors.ts';
import { wrongUsageExitCode } from '../../shared/exit-codes.ts';
import { contains } from '../../shared/ipv4/ipv4.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { KubeClient } from '../../kube/kube.ts';
import { asksDatastore } from '../../datastore/datastore.ts';

/** Of the settings that cannot be changed later, by the names of their flags. */
const flags = {
  clusterCidr: 'cluster-cidr',
  serviceCidr: 'service-cidr',
  clusterDns: 'cluster-dns',
  clusterDomain: 'cluster-domain',
} as const;
type Fixed = Pick<ClusterSettings, keyof typeof flags>;
const names = Object.keys(flags) as readonly (keyof Fixed)[];

const key = '/kagent/cluster';

export class ClusterSettingError extends KagentError {
  readonly code = 'CONFIG_CLUSTER_SETTING';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(differences: readonly string[]) {
    super(
      `${differences.join('; ')}: it stays as long as the cluster. Say what the cluster has, in config.yaml or by flag; for another value make a new cluster ('kagent uninstall', then install it anew)`,
    );
  }
}

export interface ClusterSettingsOptions {
  readonly store: Pick<KeyValue, 'get' | 'create'>;
  readonly kube: Pick<KubeClient, 'find'>;
  /** Those of this start. */
  readonly settings: ClusterSettings;
}

export interface KeptSettings {
  /** Before anything is served that depends on them. Fails with `ClusterSettingError` where the record says otherwise. */
  readonly compared: Component;
  /** A cluster without a record, new or of an earlier kagent, gets one, unless its objects contradict. */
  readonly recorded: Component;
}

export function keepClusterSettings({ store, kube, settings }: ClusterSettingsOptions): KeptSettings {
  const asked = fixedOf(settings);
  let isRecorded = false;
  return {
    compared: task('cluster-settings', ['datastore'], async (_signal, saysWait) => {
      saysWait(...asksDatastore);
      const text = await store.get(key);
      isRecorded = text !== undefined;
      if (text !== undefined) refuseDifferent(asked, JSON.parse(text) as Partial<Fixed>);
    }),
    recorded: task('cluster-settings-record', ['kube-apiserver'], async (signal, saysWait) => {
      if (isRecorded) return;
      saysWait('AskingApiserver', 'kube-apiserver has not answered yet');
      refuseDifferent(asked, await ofObjects(kube, settings, signal));
      await store.create(key, JSON.stringify(asked));
    }),
  };
}

/** @throws {ClusterSettingError} with every difference. What a record does not have, of an earlier version, is not compared. */
function refuseDifferent(asked: Fixed, cluster: Partial<Fixed>): void {
  const differences = names.flatMap((name) => {
    const made = cluster[name];
    return made === undefined || made === asked[name]
      ? []
      : [`${flags[name]} is ${asked[name]}, but the cluster was made with ${made}`];
  });
  if (differences.length > 0) throw new ClusterSettingError(differences);
}

function fixedOf({ clusterCidr, serviceCidr, clusterDns, clusterDomain }: Fixed): Fixed {
  return { clusterCidr, serviceCidr, clusterDns, clusterDomain };
}

interface Objects {
  readonly ServiceCIDR: { readonly spec?: { readonly cidrs?: readonly string[] } };
  readonly NodeList: { readonly items?: readonly { readonly spec?: { readonly podCIDR?: string } }[] };
  readonly Service: { readonly spec?: { readonly clusterIP?: string } };
  readonly ConfigMap: { readonly data?: Readonly<Record<string, string>> };
}

/** What a cluster shows of the settings it was made with: a new one nothing, or what it has been given just now. */
async function ofObjects(kube: Pick<KubeClient, 'find'>, settings: ClusterSettings, signal: AbortSignal) {
  const find = <Kind extends keyof Objects>(path: string) => kube.find<Objects[Kind]>(path, signal);
  const ownDns = settings.disableCoredns !== true;
  const inSystem = '/api/v1/namespaces/kube-system';
  const [services, nodes, dns, corefile] = await Promise.all([
    find<'ServiceCIDR'>('/apis/networking.k8s.io/v1/servicecidrs/kubernetes'),
    find<'NodeList'>('/api/v1/nodes'),
    ownDns ? find<'Service'>(`${inSystem}/services/kube-dns`) : undefined,
    ownDns ? find<'ConfigMap'>(`${inSystem}/configmaps/coredns`) : undefined,
  ]);
  const podCidrs = (nodes?.items ?? []).flatMap(({ spec }) => (spec?.podCIDR === undefined ? [] : [spec.podCIDR]));
  const isInside = (cidr: string) => contains(settings.clusterCidr, cidr.split('/', 1)[0] ?? '');
  const outside = podCidrs.find((cidr) => !isInside(cidr));
  const domain = /^\s*kubernetes (\S+) in-addr\.arpa/m.exec(corefile?.data?.['Corefile'] ?? '')?.[1];
  return {
    ...(outside !== undefined && { clusterCidr: `a range that holds ${outside}, which a node has` }),
    ...(services?.spec?.cidrs?.[0] !== undefined && { serviceCidr: services.spec.cidrs[0] }),
    ...(dns?.spec?.clusterIP !== undefined && { clusterDns: dns.spec.clusterIP }),
    ...(domain !== undefined && { clusterDomain: domain }),
  };
}
