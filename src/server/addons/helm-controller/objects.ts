/** HelmCharts and HelmChartConfigs, as k3s's users write them. */
import type { KubeObject } from '../../../kube/kube.ts';

export const chartsPath = '/apis/helm.cattle.io/v1/helmcharts';
export const configsPath = '/apis/helm.cattle.io/v1/helmchartconfigs';
/** k3s's, so that its objects can be deleted here. */
export const finalizer = 'wrangler.cattle.io/on-helm-chart-remove';
/** Annotations of k3s's: nobody, or another controller, is to carry out this chart. */
const unmanagedKey = 'helmcharts.helm.cattle.io/unmanaged';
const managedByKey = 'helmcharts.cattle.io/managed-by';
/** Whose charts these are: k3s writes its controller's name into the object. */
const ownNames = ['helm-controller', 'k3s', 'kagent'];

interface Named {
  readonly name?: string;
}

export interface ValuesSecret {
  readonly name?: string;
  readonly keys?: readonly string[];
  readonly ignoreUpdates?: boolean;
}

/** What both kinds have. */
export interface ValuesSpec {
  readonly values?: unknown;
  readonly valuesContent?: string;
  readonly valuesSecrets?: readonly ValuesSecret[];
  readonly failurePolicy?: 'reinstall' | 'abort';
}

export interface HelmChartSpec extends ValuesSpec {
  readonly chart?: string;
  readonly chartContent?: string;
  readonly repo?: string;
  readonly version?: string;
  readonly targetNamespace?: string;
  readonly createNamespace?: boolean;
  readonly set?: Readonly<Record<string, string | number>>;
  readonly timeout?: string;
  readonly repoCA?: string;
  readonly repoCAConfigMap?: Named;
  readonly authSecret?: Named;
  readonly authPassCredentials?: boolean;
  readonly dockerRegistrySecret?: Named;
  readonly backOffLimit?: number;
  readonly insecureSkipTLSVerify?: boolean;
  readonly plainHTTP?: boolean;
  readonly jobImage?: string;
  readonly helmVersion?: string;
  readonly podSecurityContext?: unknown;
  readonly securityContext?: unknown;
}

export interface ChartCondition {
  readonly type: 'Ready' | 'Failed';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

export interface ReleaseStatus {
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  /** `toy-1.0.0` */
  readonly chart: string;
  readonly appVersion: string;
}

export interface HelmChartStatus {
  readonly observedGeneration?: number;
  /** Of chart and values as they were last tried. */
  readonly configHash?: string;
  /** The last try failed, and there is no other until something changes. */
  readonly gaveUp?: boolean;
  readonly conditions?: readonly ChartCondition[];
  readonly release?: ReleaseStatus;
}

export interface HelmChart extends KubeObject {
  readonly spec?: HelmChartSpec;
  readonly status?: HelmChartStatus;
}

export interface HelmChartConfig extends KubeObject {
  readonly spec?: ValuesSpec;
}

/** Also of its HelmChartConfig, in `configsPath`. @param key `namespace/name` */
export function pathOf(list: string, key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  return list.replace('/v1/', `/v1/namespaces/${namespace}/`) + `/${name}`;
}

export function isManaged({ metadata }: HelmChart): boolean {
  const { annotations = {} } = metadata;
  return annotations[unmanagedKey] === undefined && ownNames.includes(annotations[managedByKey] ?? 'kagent');
}

export function isDeleted({ metadata }: KubeObject): boolean {
  return metadata['deletionTimestamp'] !== undefined;
}

export function finalizersOf({ metadata }: KubeObject): readonly string[] {
  return (metadata['finalizers'] as readonly string[] | undefined) ?? [];
}

export function targetNamespaceOf({ metadata, spec }: HelmChart): string {
  const target = spec?.targetNamespace ?? '';
  return target === '' ? (metadata.namespace ?? 'default') : target;
}

/** What is kept of an object that is watched: archives are large, and read when they are needed. */
export function outlineOf<T extends KubeObject>({ metadata, ...rest }: T): T {
  const { managedFields: _, ...kept } = metadata;
  return { apiVersion: rest.apiVersion, kind: rest.kind, metadata: kept } as unknown as T;
}

/** It is new, gone, or a person has changed or deleted it; a status that is written is nothing to act on. */
export function isAnother(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  const parts = (object: KubeObject | undefined) => [
    object?.metadata.uid,
    object?.metadata['generation'],
    object?.metadata['deletionTimestamp'],
    object?.metadata.annotations,
  ];
  return JSON.stringify(parts(before)) !== JSON.stringify(parts(after));
}

/** Accepted, and without effect: there is no job and no pod. */
export function ignoredFields(spec: HelmChartSpec): readonly string[] {
  const fields = ['jobImage', 'helmVersion', 'podSecurityContext', 'securityContext'] as const;
  return fields.filter((field) => spec[field] !== undefined && spec[field] !== '' && spec[field] !== 'v3');
}
