import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AddonContext } from '../../../../../src/server/addons/addons.ts';
import { helmController } from '../../../../../src/server/addons/helm-controller/helm-controller.ts';
import type { HelmChart } from '../../../../../src/server/addons/helm-controller/objects.ts';
import type { HelmRequest } from '../../../../../src/server/addons/helm-controller/wanted.ts';
import { jsonInteger } from '../../../../../src/shared/json/json.ts';
import { silentLog } from '../../../../../src/shared/log/log.ts';
import { objectServer } from '../../../../helpers/object-server.ts';
import { temporaryDir } from '../../../../helpers/temporary.ts';
import { eventually } from '../../../../helpers/wait.ts';

const all = '/apis/helm.cattle.io/v1/helmcharts';
const configs = '/apis/helm.cattle.io/v1/helmchartconfigs';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const secrets = '/api/v1/namespaces/shop/secrets';
const finalizer = 'wrangler.cattle.io/on-helm-chart-remove';
const inShop = (list: string) => list.replace('/v1/', '/v1/namespaces/shop/');

type Answer = object | Promise<object>;
const installed = {
  report: 'done',
  reason: 'Installed',
  message: 'release web',
  release: { revision: 1, chart: 'toy-1.0.0' },
};
const failed = (reason: string, more: object = {}) => ({
  report: 'failed',
  reason,
  message: `${reason}!`,
  retry: true,
  ...more,
});

/** The controller beside an API server; what helm is asked for is written down, and answered as the test says. */
async function controller(
  options: {
    readonly answer?: (request: HelmRequest, signal: AbortSignal) => Answer;
    readonly make?: 'component' | 'removal';
    readonly charts?: readonly HelmChart[];
    readonly staticDir?: string;
  } = {},
) {
  const { answer = () => installed, make = 'component', staticDir = '/nonexistent' } = options;
  const server = await objectServer({ mergesPatches: true });
  const asked: HelmRequest[] = [];
  const texts: string[] = [];
  const put = (list: string, object: HelmChart) => {
    for (const one of [list, inShop(list)]) server.set(one, object.metadata.name, object);
  };
  for (const list of [all, configs, inShop(all), inShop(configs), secrets]) server.set(list, 'x', undefined);
  for (const chart of options.charts ?? []) put(all, chart);
  const context = {
    kube: server.kube,
    nodeName: 's1',
    log: silentLog,
    staticDir,
    supervisor: { url: 'https://127.0.0.1:9345', caPem: 'CLUSTER CA' },
    helm: {
      async run(request: HelmRequest, { onLine }: { readonly onLine: (line: string) => void }, signal: AbortSignal) {
        asked.push(request);
        texts.push(JSON.stringify(request));
        onLine(JSON.stringify(await answer(request, signal)));
        return { reason: undefined };
      },
    },
  } as unknown as AddonContext;
  const component = helmController[make]?.(context);
  onTestFinished(() => component?.stop());
  await component?.start(new AbortController().signal);
  return {
    ...server,
    put,
    asked,
    texts,
    chart: (name = 'web') => server.get(inShop(all), name) as HelmChart | undefined,
  };
}

let generation = 0;
const chart = (spec: NonNullable<HelmChart['spec']>, metadata: object = {}): HelmChart => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'uid-web', generation: ++generation, ...metadata },
  spec,
});
const readyOf = (one: HelmChart | undefined) => one?.status?.conditions?.find(({ type }) => type === 'Ready');
const isReady = (one: HelmChart | undefined) => readyOf(one)?.status === 'True';

test('a HelmChart is installed as it says, has a finalizer before that, and tells what came of it', async () => {
  const {
    put,
    asked,
    events,
    chart: now,
  } = await controller({
    answer: () => {
      expect(now()?.metadata['finalizers']).toEqual([finalizer]);
      expect(readyOf(now())).toMatchObject({ status: 'False', reason: 'Progressing' });
      return installed;
    },
  });
  put(
    all,
    chart({ chart: 'toy', repo: 'https://charts.example', version: '1.0.0', timeout: '90s', set: { replicas: 2 } }),
  );
  await eventually(() => isReady(now()));
  expect(asked).toMatchObject([
    {
      action: 'apply',
      name: 'web',
      namespace: 'shop',
      timeoutMs: 90_000,
      failurePolicy: 'reinstall',
      chart: { chart: 'toy', repo: 'https://charts.example', version: '1.0.0' },
      values: [],
      set: { replicas: 2 },
    },
  ]);
  expect(now()?.status?.release).toMatchObject({ name: 'web', namespace: 'shop', revision: 1, chart: 'toy-1.0.0' });
  await eventually(() => events.includes('Installed release web'));
});

test("a HelmChartConfig's values come last, and its change upgrades; a status that is written does not", async () => {
  const { put, set, asked, chart: now } = await controller();
  put(configs, chart({ valuesContent: 'tag: b', failurePolicy: 'abort' }));
  put(all, chart({ chartContent: 'AA==', valuesContent: 'tag: a', values: { tag: 'c' } }));
  await eventually(() => isReady(now()));
  const [first] = asked;
  expect(first?.values?.map(({ content }) => content)).toEqual(['tag: a', '{"tag":"c"}', 'tag: b']);
  expect(first?.failurePolicy).toBe('abort');
  set(all, 'web', { ...chart({}), ...now(), status: { ...now()?.status, jobName: 'x' } } as HelmChart);
  put(configs, chart({ valuesContent: 'tag: d' }));
  await eventually(() => asked.length === 2);
  expect(asked[1]?.configHash).not.toBe(first?.configHash);
  await eventually(() => isReady(now()) && now()?.status?.configHash === asked[1]?.configHash);
  expect(asked).toHaveLength(2);
});

test('what is installed as it is wanted is left alone by the next start', async () => {
  const spec = { chartContent: 'AA==', values: { a: 1 } };
  const { put, asked, chart: now } = await controller();
  put(all, chart(spec));
  const before = await eventually(() => (isReady(now()) ? now() : undefined));
  const { finalizers: _, ...metadata } = before.metadata; // as a time without the controller leaves it
  const other = await controller({ charts: [{ ...before, metadata }] });
  other.put(all, chart({ chartContent: 'AA==' }, { name: 'second' }));
  await eventually(() => isReady(other.chart('second')));
  expect(other.asked.map(({ name }) => name)).toEqual(['second']);
  expect(other.chart()?.metadata['finalizers']).toEqual([finalizer]);
  expect(asked).toHaveLength(1);
});

test('integers of 64 bits reach helm with every digit', async () => {
  const { put, texts } = await controller();
  const big = jsonInteger(9_223_372_036_854_775_807n);
  put(all, chart({ chartContent: 'AA==', values: { big } }));
  await eventually(() => texts[0]);
  expect(texts[0]).toContain(String.raw`{\"big\":9223372036854775807}`);
});

test('a failure is one event and a condition, and is tried again less and less often', async () => {
  let answer: object = failed('InstallFailed');
  const { put, asked, events, chart: now } = await controller({ answer: () => answer });
  put(all, chart({ chartContent: 'AA==' }));
  await eventually(() => readyOf(now())?.reason === 'InstallFailed');
  expect(now()?.status?.conditions).toMatchObject([{ status: 'False' }, { type: 'Failed', status: 'True' }]);
  await eventually(() => asked.length === 2, { withinMs: 10_000 });
  answer = installed;
  await eventually(() => isReady(now()), { withinMs: 15_000 });
  await eventually(() => events.includes('Installed release web'));
  expect(events).toEqual(['InstallFailed InstallFailed!', 'Installed release web']);
  expect(now()?.status?.conditions).toMatchObject([{ status: 'True' }, { type: 'Failed', status: 'False' }]);
});

test.each([
  ['the policy is abort', { failurePolicy: 'abort' } as const, failed('UpgradeFailed')],
  ['no other try would help', {}, failed('ValuesInvalid', { retry: false })],
  ['it has failed too often', { backOffLimit: 0 }, failed('InstallFailed')],
])('nothing is tried again where %s, until something changes', async (_, spec, answer) => {
  const {
    put,
    asked,
    chart: now,
  } = await controller({ answer: ({ set }) => (set?.['fixed'] === 1 ? installed : answer) });
  put(all, chart({ chartContent: 'AA==', ...spec }));
  await eventually(() => now()?.status?.gaveUp === true);
  const again = await controller({ charts: [now() as HelmChart] });
  again.put(all, chart({ chartContent: 'AA==' }, { name: 'second' }));
  await eventually(() => isReady(again.chart('second')));
  expect(again.asked.map(({ name }) => name)).toEqual(['second']);
  put(all, { ...chart({ chartContent: 'AA==', ...spec, set: { fixed: 1 } }), status: now()?.status ?? {} });
  await eventually(() => isReady(now()));
  expect(now()?.status?.gaveUp).toBe(false);
  expect(asked).toHaveLength(2);
});

test('a repository that is away is asked again with the policy abort too', async () => {
  let answer: object = failed('ChartUnavailable');
  const { put, chart: now } = await controller({ answer: () => answer });
  put(all, chart({ chart: 'toy', repo: 'https://charts.example', failurePolicy: 'abort' }));
  await eventually(() => readyOf(now())?.reason === 'ChartUnavailable');
  answer = installed;
  await eventually(() => isReady(now()), { withinMs: 10_000 });
  expect(now()?.status?.gaveUp).toBe(false);
});

test('a HelmChart that is deleted goes when its release is gone, and not before', async () => {
  let answer: object = failed('UninstallFailed');
  const {
    put,
    asked,
    events,
    chart: now,
  } = await controller({
    answer: ({ action }) => (action === 'apply' ? installed : answer),
  });
  put(all, chart({ chartContent: 'AA==', targetNamespace: 'other' }));
  const before = await eventually(() => (isReady(now()) ? now() : undefined));
  const deleted = { ...before, metadata: { ...before.metadata, deletionTimestamp: '2026-01-02T03:04:05Z' } };
  put(all, { ...deleted, spec: { ...before.spec, targetNamespace: 'edited since' } });
  await eventually(() => readyOf(now())?.reason === 'UninstallFailed');
  answer = { report: 'done', reason: 'Uninstalled', message: 'release web is uninstalled' };
  await eventually(() => now() === undefined, { withinMs: 10_000 });
  expect(asked.at(-1)).toEqual({ action: 'remove', name: 'web', namespace: 'other', timeoutMs: 300_000 });
  await eventually(() => events.includes('Uninstalled release web is uninstalled'));
});

test('an installation is ended when its HelmChart is deleted meanwhile', async () => {
  const {
    put,
    asked,
    chart: now,
  } = await controller({
    answer: ({ action }, signal) =>
      action === 'remove'
        ? { report: 'done', reason: 'Uninstalled', message: '' }
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve({}))),
  });
  put(all, chart({ chartContent: 'AA==' }));
  await eventually(() => asked.length === 1);
  const installing = now() as HelmChart;
  put(all, { ...installing, metadata: { ...installing.metadata, deletionTimestamp: '2026-01-02T03:04:05Z' } });
  await eventually(() => now() === undefined);
  expect(asked.map(({ action }) => action)).toEqual(['apply', 'remove']);
});

test('a Secret that is missing is told, and the chart is installed when it is there, and upgraded when it changes', async () => {
  const { put, set, asked, events, chart: now } = await controller();
  put(
    all,
    chart({
      chartContent: 'AA==',
      valuesSecrets: [
        { name: 'values', keys: ['a.yaml'] },
        { name: 'none', ignoreUpdates: true },
      ],
    }),
  );
  await eventually(() => readyOf(now())?.reason === 'ReferenceMissing');
  expect(readyOf(now())?.message).toBe('there is no Secret shop/values');
  const secret = (text: string, resourceVersion: string) => ({
    metadata: { name: 'values', namespace: 'shop', resourceVersion },
    data: { 'a.yaml': Buffer.from(text).toString('base64') },
  });
  set(secrets, 'values', secret('a: 1', '1'));
  await eventually(() => isReady(now()), { withinMs: 10_000 });
  expect(asked[0]?.values).toEqual([{ from: 'a.yaml of the Secret values', content: 'a: 1' }]);
  set(secrets, 'values', secret('a: 2', '2'));
  await eventually(() => asked.length === 2);
  await eventually(() => events.some((event) => event.startsWith('ReferenceMissing')));
  expect(events.filter((event) => event.startsWith('ReferenceMissing'))).toHaveLength(1);
});

test.each([
  [{}, 'there is neither chart nor chartContent; name one of them'],
  [
    { chart: 'x', authSecret: { name: '../../kube-system/secrets/a' } },
    '../../kube-system/secrets/a is the name of no Secret and no ConfigMap',
  ],
  [{ chartContent: 'AA==', timeout: 'soon' }, 'timeout soon is no time span; write it as 90s, 5m or 1h30m'],
])('a spec that cannot be carried out is one event: %j', async (spec, message) => {
  const { put, asked, events, chart: now } = await controller();
  put(all, chart(spec));
  await eventually(() => readyOf(now())?.reason === 'SpecInvalid' && events.length > 0);
  expect(events).toEqual([`SpecInvalid ${message}`]);
  expect(asked).toEqual([]);
});

test('an archive on this server is read with its own authority, and another file under its name is another chart', async () => {
  const staticDir = temporaryDir();
  mkdirSync(join(staticDir, 'charts'));
  const archive = join(staticDir, 'charts', 'toy-1.tgz');
  writeFileSync(archive, 'one');
  const { put, asked } = await controller({ staticDir });
  const spec = { chart: 'https://%{KUBERNETES_API}%/static/charts/toy-1.tgz', repoCA: 'OTHER CA' };
  put(all, chart(spec));
  await eventually(() => asked.length === 1);
  expect(asked[0]?.chart).toMatchObject({
    chart: 'https://127.0.0.1:9345/static/charts/toy-1.tgz',
    ca: 'OTHER CA\nCLUSTER CA',
  });
  writeFileSync(archive, 'two');
  put(all, chart(spec));
  await eventually(() => asked.length === 2);
  expect(asked[1]?.configHash).not.toBe(asked[0]?.configHash);
});

test("charts that somebody has marked as nobody's, or another controller's, are left alone", async () => {
  const { put, asked, chart: now } = await controller();
  const annotated = (name: string, annotations: object) =>
    put(all, chart({ chartContent: 'AA==' }, { name, annotations }));
  annotated('nobodys', { 'helmcharts.helm.cattle.io/unmanaged': 'true' });
  annotated('others', { 'helmcharts.cattle.io/managed-by': 'rancher' });
  annotated('web', { 'helmcharts.cattle.io/managed-by': 'helm-controller' });
  await eventually(() => isReady(now()));
  expect(asked.map(({ name }) => name)).toEqual(['web']);
});

test('where it is disabled no finalizer keeps a HelmChart, and the kinds stay for the objects that are there', async () => {
  const left = await controller({ make: 'removal', charts: [chart({}, { finalizers: ['other', finalizer] })] });
  await eventually(() => left.patched.length === 1);
  expect(left.chart()?.metadata['finalizers']).toEqual(['other']);
  const none = await controller({ make: 'removal' });
  const name = 'helmcharts.helm.cattle.io';
  none.set(definitions, name, { metadata: { name } });
  await eventually(() => none.get(definitions, name) === undefined);
});
