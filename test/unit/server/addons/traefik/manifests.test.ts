import { expect, test } from 'vitest';
import { deploymentPath, traefikObjects } from '../../../../../src/server/addons/traefik/manifests.ts';
import { readValues } from '../../../../../src/server/addons/traefik/values.ts';

const objectsOf = (values: unknown, replicas = 0) =>
  new Map(
    traefikObjects(readValues(values), 'kagent.sh/traefik:v3', replicas).map(({ path, object }) => [path, object]),
  );

test('objects have the names and labels of the chart, and the label by which they are known as ours', () => {
  const objects = objectsOf(undefined);
  expect([...objects.keys()]).toEqual([
    '/api/v1/namespaces/kube-system/serviceaccounts/traefik',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/traefik-kube-system',
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/traefik-kube-system',
    '/api/v1/namespaces/kube-system/services/traefik',
    '/apis/gateway.networking.k8s.io/v1/gatewayclasses/traefik',
    '/apis/gateway.networking.k8s.io/v1/namespaces/kube-system/gateways/traefik-gateway',
    deploymentPath,
    '/apis/networking.k8s.io/v1/ingressclasses/traefik',
  ]);
  for (const object of objects.values())
    expect(object).toMatchObject({
      metadata: { labels: { 'app.kubernetes.io/name': 'traefik', 'kagent.sh/addon': 'traefik' } },
    });
});

test("kagent's own Gateway is where the Service has web, wherever that is", () => {
  const listener = (values: unknown) =>
    objectsOf(values).get('/apis/gateway.networking.k8s.io/v1/namespaces/kube-system/gateways/traefik-gateway');
  expect(listener(undefined)).toMatchObject({ spec: { listeners: [{ port: 80 }] } });
  expect(listener({ ports: { web: { exposedPort: 8088 } } })).toMatchObject({ spec: { listeners: [{ port: 8088 }] } });
  const inside = { ports: { web: { expose: { default: false } } } };
  expect(listener(inside)).toMatchObject({ spec: { listeners: [{ port: 8000 }] } });
});

test('the pod may do little: no root, no capability, nothing to write but two empty folders', () => {
  expect(objectsOf(undefined, 1).get(deploymentPath)).toMatchObject({
    spec: {
      replicas: 1,
      template: {
        spec: {
          securityContext: { runAsNonRoot: true, runAsUser: 65_532 },
          containers: [
            {
              image: 'kagent.sh/traefik:v3',
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [{ mountPath: '/data' }, { mountPath: '/tmp' }],
            },
          ],
        },
      },
    },
  });
});

test('it may read what makes routes and write their status, and nothing else', () => {
  const role = objectsOf(undefined).get('/apis/rbac.authorization.k8s.io/v1/clusterroles/traefik-kube-system');
  const rules = role?.['rules'] as readonly {
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
  const writing = rules.filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)));
  for (const { resources, verbs } of writing) {
    expect(resources.every((resource) => resource.endsWith('/status'))).toBe(true);
    expect(verbs).toEqual(['update']);
  }
});

test('values become ports of the Service, arguments and places of the pod', () => {
  const objects = objectsOf({
    ports: {
      websecure: { expose: { default: false } },
      dns: { port: 5353, protocol: 'UDP', expose: { default: true } },
    },
    service: { type: 'NodePort', spec: { externalTrafficPolicy: 'Local' } },
    logs: { access: { enabled: true } },
    additionalArguments: ['--api.insecure=true'],
    nodeSelector: { disk: 'ssd' },
  });
  expect(objects.get('/api/v1/namespaces/kube-system/services/traefik')).toMatchObject({
    spec: {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [
        { name: 'web', port: 80, protocol: 'TCP', targetPort: 'web' },
        { name: 'dns', port: 5353, protocol: 'UDP', targetPort: 'dns' },
      ],
    },
  });
  const deployment = objects.get(deploymentPath) as {
    readonly spec: {
      readonly template: {
        readonly spec: { readonly nodeSelector: object; readonly containers: readonly [{ readonly args: string[] }] };
      };
    };
  };
  const { nodeSelector, containers } = deployment.spec.template.spec;
  expect(nodeSelector).toEqual({ 'kubernetes.io/os': 'linux', disk: 'ssd' });
  expect(containers[0].args).toEqual(
    expect.arrayContaining(['--entryPoints.dns.address=:5353/udp', '--accessLog=true', '--api.insecure=true']),
  );
  expect(containers[0].args.at(-1)).toBe('--api.insecure=true'); // the last one counts
});
