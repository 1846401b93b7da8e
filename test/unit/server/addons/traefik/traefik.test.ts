import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { KubeObject } from '../../../../../src/kube/kube.ts';
import { configsPath } from '../../../../../src/server/addons/traefik/config.ts';
import { deploymentPath, traefikObjects } from '../../../../../src/server/addons/traefik/manifests.ts';
import { traefik } from '../../../../../src/server/addons/traefik/traefik.ts';
import { readValues } from '../../../../../src/server/addons/traefik/values.ts';
import { addonContext } from '../../../../helpers/addons.ts';
import { objectServer } from '../../../../helpers/object-server.ts';
import { temporaryDir } from '../../../../helpers/temporary.ts';
import { eventually } from '../../../../helpers/wait.ts';

const networking = '/apis/networking.k8s.io/v1';
const traefikIo = '/apis/traefik.io/v1alpha1';
const gatewayApi = '/apis/gateway.networking.k8s.io/v1';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const deployments = '/apis/apps/v1/namespaces/kube-system/deployments';
const ingresses = `${networking}/ingresses`;

const inShop = (name: string, rest: object = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}` },
  ...rest,
});
const objects = traefikObjects(readValues(undefined), 'image', 0);

async function cluster() {
  const server = await objectServer();
  const lists = [
    configsPath,
    definitions,
    ingresses,
    ...['ingressroutes', 'ingressroutetcps', 'ingressrouteudps'].map((list) => `${traefikIo}/${list}`),
    ...['gateways', 'httproutes', 'grpcroutes', 'tlsroutes'].map((list) => `${gatewayApi}/${list}`),
    ...objects.map(({ path }) => path.slice(0, path.lastIndexOf('/'))),
  ];
  for (const list of lists) server.set(list, 'x', undefined);
  const definitionsDir = temporaryDir();
  writeFileSync(join(definitionsDir, 'traefik.jsonl'), '[]\n');
  const begin = async (make: 'component' | 'removal') => {
    const component = traefik[make]?.(addonContext({ kube: server.kube, definitionsDir }));
    onTestFinished(() => component?.stop());
    await component?.start(new AbortController().signal);
    return () => component?.health();
  };
  const isThere = (path: string) => server.get(...split(path)) !== undefined;
  /** As kube-controller-manager does. */
  const scaled = async () => {
    const patch = await eventually(() => server.patched.findLast(isScale));
    const { spec } = patch.body as { readonly spec: { readonly replicas: number } };
    const there = server.get(deployments, 'traefik') as KubeObject;
    const status = { availableReplicas: spec.replicas };
    server.set(deployments, 'traefik', { ...there, spec: { ...(there.spec as object), ...spec }, status });
    return spec.replicas;
  };
  return { ...server, begin, isThere, scaled };
}

function split(path: string): [list: string, name: string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, at), path.slice(at + 1)];
}

const isScale = ({ path, body }: { readonly path: string; readonly body: unknown }) =>
  path === deploymentPath && (body as { readonly metadata?: object }).metadata === undefined;

test('it is installed without a pod, starts with the first Ingress, and says both', async () => {
  const { begin, isThere, scaled, set, get, events } = await cluster();
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  expect(objects.filter(({ path }) => !isThere(path))).toEqual([]);
  expect(get(deployments, 'traefik')).toMatchObject({ spec: { replicas: 0 } });
  expect(JSON.stringify(get(deployments, 'traefik'))).toContain('"image":"kagent.sh/traefik:v1"');
  expect(traefik.images).toEqual(['traefik']); // so that the bundle has it
  expect(health()).toMatchObject({ status: 'True', message: expect.stringContaining('not running') as string });
  set(ingresses, 'web', inShop('web', { spec: { ingressClassName: 'traefik' } }));
  expect(await scaled()).toBe(1);
  await eventually(() => health()?.reason === 'Serving');
  expect(events).toEqual(['IngressStarted Traefik starts: there is Ingress shop/web']);
});

test('its GatewayClass is accepted before it runs, and what a running Traefik says of it stays', async () => {
  const { begin, patched, scaled, set } = await cluster();
  const statusPath = `${gatewayApi}/gatewayclasses/traefik/status`;
  const said = () => patched.filter(({ path }) => path === statusPath).map(({ body }) => body);
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  expect(said()).toEqual([
    {
      status: {
        conditions: [expect.objectContaining({ type: 'Accepted', status: 'True', observedGeneration: 1 })],
        supportedFeatures: expect.arrayContaining([{ name: 'HTTPRoute' }, { name: 'TLSRoute' }]) as unknown,
      },
    },
  ]);
  set(ingresses, 'web', inShop('web'));
  expect(await scaled()).toBe(1);
  set(configsPath, 'traefik', config({ valuesContent: 'logs: {access: {enabled: true}}' }));
  await eventually(() => JSON.stringify(patched.at(-1)).includes('ingressclass.kubernetes.io'));
  expect(said()).toHaveLength(1);
});

const config = (spec: object) => ({ metadata: { name: 'traefik', namespace: 'kube-system', uid: 'uid-config' }, spec });
const portsIn = (service: KubeObject | undefined) =>
  (service as { readonly spec: { readonly ports: readonly { readonly port: number }[] } }).spec.ports.map(
    ({ port }) => port,
  );

test('what a HelmChartConfig asks for is in force at once, and no more when it is gone', async () => {
  const { begin, set, get } = await cluster();
  const valuesContent = 'ports: {web: {exposedPort: 8080}, websecure: {exposedPort: 1443}}';
  const values = { ports: { websecure: { exposedPort: 8443 } }, additionalArguments: ['--global.checknewversion'] };
  set(configsPath, 'traefik', config({ valuesContent, values }));
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  const service = () => get('/api/v1/namespaces/kube-system/services', 'traefik');
  expect(portsIn(service())).toEqual([8080, 8443]);
  expect(JSON.stringify(get(deployments, 'traefik'))).toContain('--global.checknewversion');
  set(configsPath, 'traefik', undefined);
  await eventually(() => portsIn(service()).join() === '80,443');
});

test.each([
  [{ valuesContent: 'dashboard: {enabled: true}' }, 'dashboard'],
  [{ valuesContent: 'ports: [' }, 'valuesContent'],
  [{ valuesSecrets: [{ name: 'values' }] }, 'valuesSecrets'],
])('%j is refused by name, once, and changes nothing', async (spec, name) => {
  const { begin, set, get, events } = await cluster();
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  const before = get(deployments, 'traefik');
  set(configsPath, 'traefik', config(spec));
  await eventually(() => health()?.reason === 'ValuesRefused');
  expect(health()).toMatchObject({ status: 'False', message: expect.stringContaining(`the value ${name} `) as string });
  await eventually(() => events.length > 0);
  expect(events).toEqual([expect.stringMatching(`^ValuesRefused the value ${name} for traefik: `) as string]);
  expect(get(deployments, 'traefik')).toEqual(before);
  set(configsPath, 'traefik', config({ valuesContent: 'deployment: {replicas: 2}' }));
  await eventually(() => health()?.reason === 'Idle');
});

test('an Ingress of another class does not start it; one of a class of Traefik does', async () => {
  const { begin, scaled, set, patched } = await cluster();
  set(`${networking}/ingressclasses`, 'nginx', {
    metadata: { name: 'nginx' },
    spec: { controller: 'k8s.io/ingress-nginx' },
  });
  set(`${networking}/ingressclasses`, 'edge', {
    metadata: { name: 'edge' },
    spec: { controller: 'traefik.io/ingress-controller' },
  });
  set(ingresses, 'web', inShop('web', { spec: { ingressClassName: 'nginx' } }));
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  expect(patched.some(isScale)).toBe(false);
  set(ingresses, 'shop', inShop('shop', { spec: { ingressClassName: 'edge' } }));
  expect(await scaled()).toBe(1);
});

test("a route starts it when it names a Gateway of Traefik's; kagent's own Gateway alone does not", async () => {
  const { begin, scaled, set, patched } = await cluster();
  const own = objects.find(({ kind }) => kind === 'Gateway')?.object as KubeObject;
  set(`${gatewayApi}/gateways`, 'traefik-gateway', own);
  set(`${gatewayApi}/httproutes`, 'other', inShop('other', { spec: { parentRefs: [{ name: 'elsewhere' }] } }));
  const health = await begin('component');
  await eventually(() => health()?.reason === 'Idle');
  expect(patched.some(isScale)).toBe(false);
  const parentRefs = [{ name: 'traefik-gateway', namespace: 'kube-system' }];
  set(`${gatewayApi}/grpcroutes`, 'calls', inShop('calls', { spec: { parentRefs } }));
  expect(await scaled()).toBe(1);
});

test('a cluster that knows some kind in another version alone is no obstacle', async () => {
  const { begin, scaled, set, forget } = await cluster();
  forget(`${gatewayApi}/tlsroutes`);
  set(ingresses, 'web', inShop('web'));
  await begin('component');
  expect(await scaled()).toBe(1);
});

test('a route of a kind that was defined only now is seen as soon as the kind is served', async () => {
  const { begin, scaled, set, forget } = await cluster();
  const list = `${traefikIo}/ingressroutes`;
  forget(list);
  set(definitions, 'ingressroutes.traefik.io', {
    metadata: { name: 'ingressroutes.traefik.io' },
    spec: { versions: [{ name: 'v1alpha1', served: true }] },
  });
  const health = await begin('component');
  await eventually(() => health()?.reason === 'RequestFailed');
  set(list, 'web', inShop('web'));
  expect(await scaled()).toBe(1);
});

test('a server that starts again leaves the number of pods as it is', async () => {
  const { begin, set, get, patched } = await cluster();
  const there = objects.find(({ kind }) => kind === 'Deployment')?.object as KubeObject;
  set(deployments, 'traefik', { ...there, spec: { replicas: 3 }, status: { availableReplicas: 3 } });
  set(ingresses, 'web', inShop('web'));
  const health = await begin('component');
  await eventually(() => patched.some(({ path }) => path === deploymentPath));
  await eventually(() => health()?.status === 'True');
  expect(get(deployments, 'traefik')).toMatchObject({ spec: { replicas: 3 } });
});

test('a Traefik that somebody else has installed is left alone, and the condition says so', async () => {
  const { begin, set, patched } = await cluster();
  set(deployments, 'traefik', { metadata: { name: 'traefik', namespace: 'kube-system', labels: { owner: 'helm' } } });
  const health = await begin('component');
  await eventually(() => health()?.status === 'False');
  expect(health()?.message).toContain("Deployment kube-system/traefik is there already, and is not kagent's");
  expect(patched).toEqual([]);
});

test('rules of Traefik 2, and objects of its API group, get an event that says what to write', async () => {
  const { begin, set, events } = await cluster();
  const old = 'ingressroutes.traefik.containo.us';
  set(definitions, old, { metadata: { name: old } });
  set('/apis/traefik.containo.us/v1alpha1/ingressroutes', 'legacy', inShop('legacy'));
  set(`${traefikIo}/ingressroutes`, 'web', inShop('web', { spec: { routes: [{ match: 'Host(`a`, `b`)' }] } }));
  await begin('component');
  await eventually(() => events.length >= 3);
  expect(events.toSorted()).toEqual([
    expect.stringMatching(/^IngressStarted/),
    expect.stringMatching(/^OldApiGroup .*traefik\.io\/v1alpha1/),
    expect.stringMatching(/^OldRuleSyntax .*Host\(`a`\) \|\| Host\(`b`\)/),
  ]);
});

test('disabled, its objects go; what is not labelled as ours stays', async () => {
  const { begin, isThere, set } = await cluster();
  const others = '/api/v1/namespaces/kube-system/services/traefik';
  for (const { path, object } of objects) {
    const { metadata } = object as unknown as KubeObject;
    set(...split(path), { metadata: { ...metadata, uid: 'u', ...(path === others && { labels: {} }) } });
  }
  const health = await begin('removal');
  await eventually(() => objects.filter(({ path }) => isThere(path)).length === 1);
  expect(isThere(others)).toBe(true);
  expect(health()).toMatchObject({ status: 'True', reason: 'Disabled' });
});
