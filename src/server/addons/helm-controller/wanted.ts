/** What a HelmChart asks for, with everything that it names: a request for helm, and a hash that changes when it does. */
import { createHash } from 'node:crypto';
import { parseDuration } from '../../../shared/duration.ts';
import { checksumOfChart } from '../../charts/charts.ts';
import type { AddonContext } from '../types.ts';
import { HelmChartInvalidError, HelmReferenceError } from './errors.ts';
import { targetNamespaceOf } from './objects.ts';
import type { HelmChart, HelmChartConfig, HelmChartSpec, ValuesSpec } from './objects.ts';

/** As components/kubernetes/helm/request.go reads it. */
export interface HelmRequest {
  readonly action: 'apply' | 'remove';
  readonly name: string;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly createNamespace?: boolean;
  readonly configHash?: string;
  readonly failurePolicy?: 'reinstall' | 'abort';
  readonly chart?: ChartSource;
  readonly values?: readonly ValuesPiece[];
  readonly set?: Readonly<Record<string, string | number>>;
}

export type Wanted = HelmRequest & { readonly configHash: string };

interface ChartSource {
  readonly content?: string | undefined;
  readonly chart?: string | undefined;
  readonly repo?: string | undefined;
  readonly version?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly passCredentials?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly insecureSkipTLSVerify?: boolean | undefined;
  readonly plainHTTP?: boolean | undefined;
  readonly dockerConfig?: string | undefined;
}

interface ValuesPiece {
  readonly from: string;
  readonly content: string;
}

/** A Secret or ConfigMap of the HelmChart's namespace, which is looked at again when it changes. */
export interface Reference {
  readonly kind: 'secrets' | 'configmaps';
  readonly namespace: string;
  readonly name: string;
}

type Data = Readonly<Record<string, string>>;

const usualTimeoutMs = 300_000;
const apiPlaceholder = '%{KUBERNETES_API}%';
const hashLength = 32;
/** What leads to no other object than one of this name. */
const objectName = /^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$/;

export function referencesOf(chart: HelmChart, config: HelmChartConfig | undefined): readonly Reference[] {
  const { namespace = 'default' } = chart.metadata;
  const { authSecret, dockerRegistrySecret, repoCAConfigMap } = chart.spec ?? {};
  const values = [chart.spec, config?.spec].flatMap((spec) => spec?.valuesSecrets ?? []);
  const secrets = [authSecret, dockerRegistrySecret, ...values.filter(({ ignoreUpdates }) => ignoreUpdates !== true)];
  const named = (kind: Reference['kind'], ones: readonly ({ readonly name?: string } | undefined)[]) =>
    ones.flatMap(({ name = '' } = {}) => (objectName.test(name) ? [{ kind, namespace, name }] : []));
  return [...named('secrets', secrets), ...named('configmaps', [repoCAConfigMap])];
}

export function timeoutMsOf({ spec }: HelmChart): number {
  const text = spec?.timeout ?? '';
  const timeoutMs = text === '' ? usualTimeoutMs : parseDuration(text);
  if (timeoutMs === undefined || timeoutMs <= 0)
    throw new HelmChartInvalidError(`timeout ${text} is no time span`, { remedy: 'write it as 90s, 5m or 1h30m' });
  return timeoutMs;
}

/** @throws {HelmChartInvalidError} @throws {HelmReferenceError} @throws {KubeError} */
export async function wantedOf(
  context: Pick<AddonContext, 'kube' | 'staticDir' | 'supervisor'>,
  chart: HelmChart,
  config: HelmChartConfig | undefined,
  signal: AbortSignal,
): Promise<Wanted> {
  const { name } = chart.metadata;
  const namespace = targetNamespaceOf(chart);
  const before = chart.status?.release?.namespace ?? namespace;
  if (before !== namespace)
    throw new HelmChartInvalidError(`the release is in the namespace ${before}, and helm moves none to ${namespace}`, {
      remedy: 'delete this HelmChart and write it anew',
    });
  const references = referencesReader(context, chart, signal);
  const source = await sourceOf(context, chart.spec ?? {}, references);
  const pieces = [
    ...(await piecesOf(chart.spec ?? {}, 'HelmChart', references)),
    ...(await piecesOf(config?.spec ?? {}, 'HelmChartConfig', references)),
  ];
  const set = chart.spec?.set ?? {};
  const counted = pieces.filter(({ isCounted }) => isCounted).map(({ from, content }) => ({ from, content }));
  return {
    action: 'apply',
    name,
    namespace,
    timeoutMs: timeoutMsOf(chart),
    createNamespace: chart.spec?.createNamespace ?? false,
    failurePolicy: config?.spec?.failurePolicy ?? chart.spec?.failurePolicy ?? 'reinstall',
    chart: source,
    values: pieces.map(({ from, content }) => ({ from, content })),
    set,
    configHash: hashOf([namespace, chartPart(source), await staticSum(context, chart.spec ?? {}), counted, set]),
  };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, hashLength);
}

/** How a chart is reached is no part of what is installed: a new password upgrades nothing. */
function chartPart({ content, chart, repo, version }: ChartSource): unknown {
  return { content, chart, repo, version };
}

/** An archive on this server that is replaced is another chart. */
async function staticSum({ staticDir }: Pick<AddonContext, 'staticDir'>, { chart = '' }: HelmChartSpec) {
  const prefix = `https://${apiPlaceholder}/static/charts/`;
  if (!chart.startsWith(prefix)) return undefined;
  return await checksumOfChart(staticDir, chart.slice(prefix.length));
}

async function sourceOf(
  { supervisor }: Pick<AddonContext, 'supervisor'>,
  spec: HelmChartSpec,
  references: ReferencesReader,
): Promise<ChartSource> {
  const content = spec.chartContent ?? '';
  if (content !== '') return { content };
  if ((spec.chart ?? '') === '')
    throw new HelmChartInvalidError('there is neither chart nor chartContent', { remedy: 'name one of them' });
  const isHere = [spec.chart, spec.repo].some((address) => address?.startsWith(`https://${apiPlaceholder}/`) === true);
  const here = (address: string | undefined) => address?.replaceAll(apiPlaceholder, new URL(supervisor.url).host);
  const auth = await references.read('secrets', spec.authSecret);
  const docker = await references.read('secrets', spec.dockerRegistrySecret);
  const authorities = Object.values((await references.read('configmaps', spec.repoCAConfigMap)) ?? {});
  const ca = [spec.repoCA ?? '', ...authorities, isHere ? supervisor.caPem : ''].filter((pem) => pem !== '');
  return {
    chart: here(spec.chart),
    repo: here(spec.repo),
    version: spec.version,
    username: auth?.['username'],
    password: auth?.['password'],
    passCredentials: spec.authPassCredentials,
    ca: ca.join('\n'),
    insecureSkipTLSVerify: spec.insecureSkipTLSVerify,
    plainHTTP: spec.plainHTTP,
    dockerConfig: docker?.['.dockerconfigjson'],
  };
}

async function piecesOf(spec: ValuesSpec, kind: string, references: ReferencesReader) {
  const { values, valuesContent = '', valuesSecrets = [] } = spec;
  const pieces: (ValuesPiece & { readonly isCounted: boolean })[] = [];
  const add = (from: string, content: string, isCounted = true) => pieces.push({ from, content, isCounted });
  if (valuesContent !== '') add(`valuesContent of the ${kind}`, valuesContent);
  if (values !== undefined) add(`values of the ${kind}`, JSON.stringify(values));
  for (const { name = '', keys = [], ignoreUpdates = false } of valuesSecrets) {
    const data = await references.read('secrets', { name }, ignoreUpdates);
    for (const key of data === undefined ? [] : keys) {
      const content = data?.[key];
      if (content !== undefined) add(`${key} of the Secret ${name}`, content, !ignoreUpdates);
      else if (!ignoreUpdates) throw new HelmReferenceError(`the Secret ${name} has no key ${key}`);
    }
  }
  return pieces;
}

interface ReferencesReader {
  /** Its texts; undefined where none is named, or one that may be missing is. */
  read(
    kind: Reference['kind'],
    named: { readonly name?: string } | undefined,
    mayMiss?: boolean,
  ): Promise<Data | undefined>;
}

function referencesReader(
  { kube }: Pick<AddonContext, 'kube'>,
  { metadata: { namespace = 'default' } }: HelmChart,
  signal: AbortSignal,
): ReferencesReader {
  return {
    async read(kind, named, mayMiss = false) {
      const name = named?.name ?? '';
      if (name === '') return undefined;
      if (!objectName.test(name)) throw new HelmChartInvalidError(`${name} is the name of no Secret and no ConfigMap`);
      const found = await kube.find(referencePath({ kind, namespace, name }), signal);
      if (found === undefined && mayMiss) return undefined;
      if (found === undefined) {
        const what = kind === 'secrets' ? 'Secret' : 'ConfigMap';
        throw new HelmReferenceError(`there is no ${what} ${namespace}/${name}`);
      }
      const data = (found['data'] ?? {}) as Data;
      if (kind === 'configmaps') return data;
      return Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
      );
    },
  };
}

export function referencePath({ kind, namespace, name }: Reference): string {
  return `/api/v1/namespaces/${namespace}/${kind}/${name}`;
}
