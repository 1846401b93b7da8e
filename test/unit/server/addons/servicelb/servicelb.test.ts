import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { servicelb } from '../../../../../src/server/addons/servicelb/servicelb.ts';
import type { AddonContext, ClusterNode } from '../../../../../src/server/addons/addons.ts';
import { Listeners } from '../../../../../src/shared/listeners.ts';
import { addonContext } from '../../../../helpers/addons.ts';
import { kubeServer } from '../../../../helpers/kube-server.ts';
import { eventually } from '../../../../helpers/wait.ts';

const ready = [{ type: 'Ready', status: 'True' }];
const node = (name: string, addresses: Readonly<Record<string, string>>, labels = {}): ClusterNode => ({
  metadata: { name, labels },
  status: { conditions: ready, addresses: Object.entries(addresses).map(([type, address]) => ({ type, address })) },
});

interface ServiceFacts {
  readonly spec?: object;
  readonly status?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly object[];
}

const service = (name: string, { spec, status, ...metadata }: ServiceFacts = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
  spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  status: status ?? { loadBalancer: {} },
});

/** A cluster of these Services on these nodes. */
async function cluster(options: {
  readonly services: readonly object[];
  readonly nodes?: readonly ClusterNode[];
  readonly slices?: readonly object[];
  readonly portsInUse?: AddonContext['nodes']['portsInUse'];
}) {
  const { services, slices = [], nodes = [node('n1', { InternalIP: '10.0.0.1' })] } = options;
  const written: { readonly path: string; readonly ips: readonly string[] }[] = [];
  const events: { readonly reason: string; readonly message: string }[] = [];
  const watches: ServerResponse[] = [];
  const changed = new Listeners<void>();
  let present = nodes;
  const { kube } = await kubeServer(({ method, url, body }, response) => {
    if (url.includes('watch=true')) {
      response.writeHead(200).flushHeaders();
      watches.push(response);
    } else if (method === 'GET') {
      const items = url.includes('endpointslices') ? slices : services;
      response.end(JSON.stringify({ metadata: { resourceVersion: '7' }, items }));
    } else if (method === 'PATCH') {
      const { status } = JSON.parse(body) as {
        readonly status: { readonly loadBalancer: { readonly ingress: readonly { readonly ip: string }[] } };
      };
      written.push({ path: url, ips: status.loadBalancer.ingress.map(({ ip }) => ip) });
      response.end('{"metadata":{}}');
    } else {
      events.push(JSON.parse(body) as (typeof events)[number]);
      response.end('{"metadata":{}}');
    }
  });
  const context = addonContext({
    kube,
    nodes: {
      objects: () => present,
      onObjectChange: (listener) => changed.add(listener),
      ...(options.portsInUse !== undefined && { portsInUse: options.portsInUse }),
    },
  });
  const begin = async (make: 'component' | 'removal') => {
    const component = servicelb[make]?.(context);
    onTestFinished(() => component?.stop());
    await component?.start(new AbortController().signal);
  };
  return {
    begin,
    written,
    events,
    become: (now: readonly ClusterNode[]) => {
      present = now;
      changed.tell();
    },
    tell: (type: string, object: object) => {
      watches[0]?.write(`${JSON.stringify({ type, object })}\n`);
    },
  };
}

const statusOf = (name: string) => `/api/v1/namespaces/shop/services/${name}/status?fieldManager=kagent-servicelb`;

test('a Service gets the addresses of the ready nodes, external ones first, and follows the nodes', async () => {
  const both = [
    node('n1', { InternalIP: '10.0.0.1' }),
    node('n2', { InternalIP: '10.0.0.2', ExternalIP: '203.0.113.2' }),
  ];
  const { begin, written, become } = await cluster({ services: [service('web')], nodes: both });
  await begin('component');
  await eventually(() => written.length === 1);
  expect(written[0]).toEqual({ path: statusOf('web'), ips: ['203.0.113.2', '10.0.0.1', '10.0.0.2'] });
  const [first, second] = both;
  become([
    { ...first, metadata: { name: 'n1' }, status: { ...first?.status, conditions: [] } },
    ...(second ? [second] : []),
  ]);
  await eventually(() => written.length === 2);
  expect(written[1]?.ips).toEqual(['203.0.113.2', '10.0.0.2']);
});

test('addresses are written and told of once, also when another change comes before the watch shows them', async () => {
  const both = [node('n1', { InternalIP: '10.0.0.1' }), node('n2', { InternalIP: '10.0.0.2' })];
  const web = service('web');
  const { begin, written, events, become, tell } = await cluster({ services: [web], nodes: both });
  await begin('component');
  await eventually(() => events.length === 1);
  const labelled = both.map((one) => ({ ...one, metadata: { ...one.metadata, labels: { heard: 'again' } } }));
  become(labelled);
  tell('ADDED', service('next', { spec: { ports: [{ port: 81 }] } })); // its turn comes after that of the first
  await eventually(() => events.length === 2);
  expect(written.map(({ path }) => path)).toEqual([statusOf('web'), statusOf('next')]);
  // Somebody has taken them out since: the watch tells it.
  tell('MODIFIED', web);
  await eventually(() => written.length === 3);
  expect(written[2]).toEqual({ path: statusOf('web'), ips: ['10.0.0.1', '10.0.0.2'] });
});

test('a Service of another class, or whose addresses another controller has written, is left alone', async () => {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } };
  const managedFields = [{ manager: 'metallb', fieldsV1: { 'f:status': { 'f:loadBalancer': {} } } }];
  const services = [
    service('foreign', { spec: { loadBalancerClass: 'example.org/lb' } }),
    service('metal', { status, managedFields }),
    service('own', { spec: { loadBalancerClass: 'kagent.sh/servicelb', ports: [{ port: 81 }] } }),
  ];
  const { begin, written } = await cluster({ services });
  await begin('component');
  await eventually(() => written.length > 0);
  expect(written.map(({ path }) => path)).toEqual([statusOf('own')]);
});

test('with the policy Local nodes with a ready endpoint are named, and with one that ends and still serves', async () => {
  const { begin, written } = await cluster({
    services: [service('web', { spec: { externalTrafficPolicy: 'Local' } })],
    nodes: ['1', '2', '3', '4', '5'].map((n) => node(`n${n}`, { InternalIP: `10.0.0.${n}` })),
    slices: [
      {
        metadata: { name: 'web-1', namespace: 'shop' },
        endpoints: [
          { nodeName: 'n2', conditions: { ready: true } },
          { nodeName: 'n3', conditions: { ready: false } },
          { nodeName: 'n4', conditions: { ready: false, serving: true, terminating: true } },
          { nodeName: 'n5', conditions: { ready: false, serving: false, terminating: true } },
        ],
      },
    ],
  });
  await begin('component');
  await eventually(() => written.length > 0);
  expect(written).toEqual([{ path: statusOf('web'), ips: ['10.0.0.2', '10.0.0.4'] }]);
});

test('labels choose the nodes, and a pool some of those', async () => {
  const enabled = { 'svccontroller.kagent.sh/enablelb': 'true' };
  const pool = { 'svccontroller.k3s.cattle.io/lbpool': 'north' };
  const { begin, written } = await cluster({
    services: [service('all'), service('north', { labels: pool, spec: { ports: [{ port: 81 }] } })],
    nodes: [
      node('n1', { InternalIP: '10.0.0.1' }),
      node('n2', { InternalIP: '10.0.0.2' }, enabled),
      node('n3', { InternalIP: '10.0.0.3' }, { ...enabled, ...pool }),
    ],
  });
  await begin('component');
  await eventually(() => written.length === 2);
  expect(Object.fromEntries(written.map(({ path, ips }) => [path, ips]))).toEqual({
    [statusOf('all')]: ['10.0.0.2', '10.0.0.3'],
    [statusOf('north')]: ['10.0.0.3'],
  });
});

test('a port that a program of the host has is refused with an event that names it, once', async () => {
  const { begin, written, events, become } = await cluster({
    services: [service('ssh', { spec: { ports: [{ port: 22 }] } }), service('web')],
    portsInUse: (_, ports) =>
      Promise.resolve(ports.flatMap((one) => (one.port === 22 ? [{ ...one, owner: 'sshd (pid 812)' }] : []))),
  });
  await begin('component');
  await eventually(() => events.some(({ reason }) => reason === 'PortInUse') && written.length === 1);
  become([node('n1', { InternalIP: '10.0.0.7' })]);
  await eventually(() => written.length === 2);
  expect(written.map(({ path }) => path)).toEqual([statusOf('web'), statusOf('web')]);
  expect(events.filter(({ reason }) => reason === 'PortInUse').map(({ message }) => message)).toEqual([
    'port 22/TCP of n1 belongs to sshd (pid 812); the Service gets no address there until it is free',
  ]);
});

test('a port that is free again goes to the Service that waits for it', async () => {
  const first = service('first');
  const waiting = service('waiting');
  const { begin, written, events, tell } = await cluster({ services: [first, waiting] });
  await begin('component');
  await eventually(() => events.some(({ message }) => message.includes('the Service shop/first')));
  tell('DELETED', first);
  await eventually(() => written.length === 2);
  expect(written.map(({ path }) => path)).toEqual([statusOf('first'), statusOf('waiting')]);
});

test('while a node does not answer, nothing is given there that might be somebody’s', async () => {
  let answers = false;
  let asked = 0;
  const { begin, written } = await cluster({
    services: [service('web')],
    portsInUse: () => {
      asked += 1;
      return answers ? Promise.resolve([]) : Promise.reject(new Error('away'));
    },
  });
  await begin('component');
  await eventually(() => asked === 2, { withinMs: 5000 });
  expect(written).toEqual([]);
  answers = true;
  await eventually(() => written.length === 1, { withinMs: 5000 });
});

test('switched off, it takes back the addresses that it gave, and no others', async () => {
  const status = { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } };
  const by = (manager: string) => [{ manager, fieldsV1: { 'f:status': { 'f:loadBalancer': {} } } }];
  const services = [
    service('ours', { status, managedFields: by('kagent-servicelb') }),
    service('metal', { status, managedFields: by('metallb') }),
    service('none'),
  ];
  const { begin, written } = await cluster({ services });
  await begin('removal');
  await eventually(() => written.length > 0);
  expect(written).toEqual([{ path: statusOf('ours'), ips: [] }]);
});
