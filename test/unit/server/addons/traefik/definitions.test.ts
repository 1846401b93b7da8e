import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyDefinitions, removeDefinitions } from '../../../../../src/server/addons/traefik/definitions.ts';
import { silentLog } from '../../../../../src/shared/log/log.ts';
import { objectServer } from '../../../../helpers/object-server.ts';
import { temporaryDir } from '../../../../helpers/temporary.ts';

const list = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const own = { 'kagent.sh/addon': 'traefik' };
const versionKey = 'gateway.networking.k8s.io/bundle-version';
const { signal } = new AbortController();

function definition(plural: string, group: string, annotations: Readonly<Record<string, string>> = {}) {
  const spec = { group, names: { plural }, versions: [{ name: 'v1', served: true }] };
  return { kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}`, annotations }, spec };
}

const routes = definition('routes', 'traefik.io');
const gateways = definition('gateways', 'gateway.networking.k8s.io', { [versionKey]: 'v1.6.1' });

async function cluster() {
  const server = await objectServer();
  server.set(list, 'x', undefined);
  const context = { kube: server.kube, log: silentLog };
  const file = join(temporaryDir(), 'traefik.jsonl');
  const apply = async (...definitions: readonly (typeof routes)[]) => {
    const lines = [definitions.map(({ metadata }) => metadata.name), ...definitions];
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const before = server.patched.length;
    await applyDefinitions(context, file, signal);
    return server.patched.slice(before).map(({ path }) => path.slice(list.length + 1));
  };
  return { ...server, context, apply };
}

test('what is missing or of another version is applied, the rest is left as it is', async () => {
  const { set, apply } = await cluster();
  expect(await apply(routes, gateways)).toEqual(['routes.traefik.io', 'gateways.gateway.networking.k8s.io']);
  expect(await apply(routes, gateways)).toEqual([]);
  set(list, 'routes.traefik.io', undefined);
  expect(await apply(routes, gateways)).toEqual(['routes.traefik.io']);
  expect(await apply(definition('routes', 'traefik.io', { changed: 'yes' }), gateways)).toHaveLength(2);
});

test("somebody else's definition is left alone, and so is ours of which somebody has applied a newer one", async () => {
  const { set, apply } = await cluster();
  set(list, 'routes.traefik.io', { ...routes, metadata: { name: 'routes.traefik.io' } });
  const annotations = { [versionKey]: 'v1.10.0' };
  set(list, 'gateways.gateway.networking.k8s.io', {
    ...gateways,
    metadata: { ...gateways.metadata, labels: own, annotations },
  });
  expect(await apply(routes, gateways)).toEqual([]);
});

test('definitions are removed by groups of which there is no object', async () => {
  const { set, get, apply, context } = await cluster();
  await apply(routes, gateways, definition('middlewares', 'traefik.io'));
  for (const path of ['/apis/traefik.io/v1/middlewares', '/apis/gateway.networking.k8s.io/v1/gateways'])
    set(path, 'x', undefined);
  set('/apis/traefik.io/v1/routes', 'web', { metadata: { name: 'web', namespace: 'shop' } });
  expect(await removeDefinitions(context, signal)).toEqual(['traefik.io']);
  expect(get(list, 'gateways.gateway.networking.k8s.io')).toBeUndefined();
  expect(get(list, 'middlewares.traefik.io')).toBeDefined();
});
