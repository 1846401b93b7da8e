import { describe, expect, test } from 'vitest';
import { createAnswers } from '../../../../src/agent/offline/answers.ts';
import type { Answer, Question } from '../../../../src/agent/offline/answers.ts';
import { createCopy } from '../../../../src/agent/offline/copy.ts';
import type { Json, KubeObject } from '../../../../src/kube/kube.ts';
import type { Remembered } from '../../../../src/agent/offline/memory.ts';
import type { Program } from '../../../../src/agent/offline/resources.ts';
import { fakeClock } from '../../../helpers/clock.ts';

const node: KubeObject = {
  metadata: { name: 'a1', resourceVersion: '900', annotations: { keep: 'me' } },
  status: { conditions: [{ type: 'Ready', status: 'False' }] },
};
const pod: KubeObject = {
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '901' },
  spec: { nodeName: 'a1' },
  status: { podIP: '10.42.1.9', podIPs: [{ ip: '10.42.1.9' }] },
};
const slice: KubeObject = {
  metadata: {
    name: 'web-x',
    namespace: 'shop',
    resourceVersion: '902',
    labels: { 'kubernetes.io/service-name': 'web' },
  },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.42.1.9'], conditions: { ready: true }, targetRef: { kind: 'Pod', uid: 'u1' } },
    { addresses: ['10.42.0.7'], conditions: { ready: true }, targetRef: { kind: 'Pod', uid: 'other' } },
  ],
};

const memory: Readonly<Record<string, Partial<Remembered>>> = {
  nodes: { items: [node, { metadata: { name: 's1', resourceVersion: '5' } }] },
  pods: { items: [pod] },
  services: { items: [] },
  endpointslices: { items: [slice] },
  secrets: { items: [{ metadata: { name: 's', namespace: 'shop', resourceVersion: '77' } }], absent: ['shop/gone'] },
};

function apiServer() {
  const copy = createCopy({
    load: ({ name }) => memory[name] && { resourceVersion: '1000', items: [], absent: [], ...memory[name] },
  });
  const answer = createAnswers({ copy, nodeName: 'a1', kubernetesVersion: 'v1.37.1', clock: fakeClock() });
  return (method: string, url: string, more: Partial<Question> = {}) =>
    answer({ program: 'kubelet', method, url, contentType: '', body: '', ...more });
}

const bodyOf = (answer: Answer) => ('body' in answer ? (answer.body as Json) : {});
const watchOf = (answer: Answer) => {
  if (!('watch' in answer)) throw new Error(`no watch but ${answer.status}`);
  return answer.watch;
};
const patch = (body: unknown): Partial<Question> => ({
  contentType: 'application/strategic-merge-patch+json',
  body: JSON.stringify(body),
});

describe('reading', () => {
  test('an object has its kind, which lists leave out', () => {
    const answer = apiServer()('GET', '/api/v1/nodes/a1?resourceVersion=0');
    expect(answer.status).toBe(200);
    expect(bodyOf(answer)).toEqual({ apiVersion: 'v1', kind: 'Node', ...node });
  });

  test('a list has the resourceVersion the server gave it, and what the selectors leave', () => {
    const answer = bodyOf(apiServer()('GET', '/api/v1/nodes?fieldSelector=metadata.name%3Da1&limit=500'));
    expect(answer).toMatchObject({ apiVersion: 'v1', kind: 'NodeList', metadata: { resourceVersion: '1000' } });
    expect(answer['items']).toHaveLength(1);
  });

  test('that there is none is said only if the server said so; everything else is "the server is away"', () => {
    const ask = apiServer();
    expect(ask('GET', '/api/v1/namespaces/shop/secrets/gone')).toMatchObject({
      status: 404,
      body: { reason: 'NotFound' },
    });
    const gone = ask('GET', '/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Dgone');
    expect(gone).toMatchObject({ status: 200, body: { items: [] } });
    const urls = [
      '/api/v1/namespaces/shop/secrets/never-seen',
      '/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Dnever-seen',
      '/api/v1/namespaces/shop/pods/never-seen',
      '/apis/node.k8s.io/v1/runtimeclasses',
      '/apis/apps/v1/deployments',
      '/apis',
      '/api/v1/namespaces/shop/pods/web/log',
    ];
    const away = { status: 503, body: { kind: 'Status', reason: 'ServiceUnavailable' } };
    expect(urls.map((url) => ask('GET', url))).toMatchObject(urls.map(() => away));
  });

  test('each program reads what it reads at the server', () => {
    const ask = apiServer();
    const urls = ['/api/v1/namespaces/shop/secrets/s', '/api/v1/pods', '/api/v1/namespaces/shop/secrets'];
    const statuses = (program: Program) => new Set(urls.map((url) => ask('GET', url, { program }).status));
    expect(statuses('kubeProxy')).toEqual(new Set([403, 200])); // pods, which network policies name
    expect(statuses('flannel')).toEqual(new Set([403]));
    expect(statuses('kubelet')).toEqual(new Set([200, 403])); // nobody lists Secrets
    expect(ask('GET', '/apis/discovery.k8s.io/v1/endpointslices', { program: 'kubelet' }).status).toBe(403);
    expect(ask('GET', '/apis/discovery.k8s.io/v1/endpointslices', { program: 'kubeProxy' }).status).toBe(200);
    expect(ask('POST', '/api/v1/namespaces/shop/serviceaccounts/a/token', { program: 'flannel' }).status).toBe(403);
    const changed = { ...patch({ status: { phase: 'Failed' } }), program: 'kubeProxy' } as const;
    expect(bodyOf(ask('PATCH', '/api/v1/namespaces/shop/pods/web/status', changed))).toMatchObject({
      status: pod.status,
    });
  });

  test('health and version are answered', () => {
    expect(apiServer()('GET', '/readyz')).toEqual({ status: 200, body: 'ok' });
    expect(bodyOf(apiServer()('GET', '/version?timeout=32s'))).toMatchObject({ gitVersion: 'v1.37.1', minor: '37' });
  });
});

describe('watching', () => {
  const streaming = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

  test('a streaming list ends with the bookmark that clients wait for', () => {
    const { events, timeoutMs } = watchOf(apiServer()('GET', `/api/v1/nodes?${streaming}&timeoutSeconds=300`));
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'ADDED', 'BOOKMARK']);
    expect(events.at(-1)?.object).toMatchObject({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { resourceVersion: '1000', annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
    expect(timeoutMs).toBe(300_000);
  });

  test('one object is as old as it was when it was read, so that no later change of it is missed', () => {
    const url = `/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Ds&${streaming}`;
    expect(watchOf(apiServer()('GET', url)).events.at(-1)?.object).toMatchObject({
      metadata: { resourceVersion: '77' },
    });
  });

  test('a watch from a list on is silent', () => {
    expect(watchOf(apiServer()('GET', '/api/v1/nodes?watch=true&resourceVersion=1000')).events).toEqual([]);
  });
});

describe('writing', () => {
  test('a status that a program writes is what it reads then, and what others watch', () => {
    const ask = apiServer();
    const seen: unknown[] = [];
    const end = watchOf(ask('GET', '/api/v1/nodes?watch=true&resourceVersion=1000')).follow((event) =>
      seen.push(event),
    );
    ask('PATCH', '/api/v1/nodes/a1/status', patch({ status: { conditions: [{ type: 'Ready', status: 'True' }] } }));
    expect(bodyOf(ask('GET', '/api/v1/nodes/a1'))).toMatchObject({
      metadata: { annotations: { keep: 'me' } },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    expect(seen).toMatchObject([{ type: 'MODIFIED', object: { metadata: { name: 'a1', resourceVersion: '1' } } }]);
    end();
  });

  test('what was changed here has a version older than any of the server, another one each time', () => {
    const ask = apiServer();
    const versions = ['True', 'False', 'True'].map((status) => {
      const answer = ask(
        'PATCH',
        '/api/v1/nodes/a1/status',
        patch({ status: { conditions: [{ type: 'X', status }] } }),
      );
      return (bodyOf(answer) as unknown as KubeObject).metadata.resourceVersion;
    });
    expect(versions).toEqual(['1', '2', '1']);
    const { events } = watchOf(ask('GET', '/api/v1/nodes?watch=true&resourceVersion=1'));
    expect(events).toMatchObject([{ type: 'MODIFIED', object: { metadata: { name: 'a1' } } }]);
  });

  test('a patch that changes nothing is no change', () => {
    const ask = apiServer();
    const answer = ask('PATCH', '/api/v1/nodes/a1/status', patch({ metadata: { annotations: { keep: 'me' } } }));
    expect(bodyOf(answer)).toMatchObject({ metadata: { resourceVersion: '900' } });
  });

  test("endpoints follow this node's pods, which have other addresses after a boot", () => {
    const ask = apiServer();
    const status = {
      podIP: '10.42.1.2',
      podIPs: [{ ip: '10.42.1.2' }, { ip: '10.42.1.9', $patch: 'delete' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    ask('PATCH', '/api/v1/namespaces/shop/pods/web/status', patch({ metadata: { uid: 'u1' }, status }));
    const list = bodyOf(ask('GET', '/apis/discovery.k8s.io/v1/endpointslices', { program: 'kubeProxy' }));
    expect(list['items']).toMatchObject([
      {
        endpoints: [
          { addresses: ['10.42.1.2'], conditions: { ready: true, serving: true } },
          { addresses: ['10.42.0.7'], conditions: { ready: true } },
        ],
      },
    ]);
    const notReady = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };
    ask('PATCH', '/api/v1/namespaces/shop/pods/web/status', patch(notReady));
    const after = bodyOf(ask('GET', '/apis/discovery.k8s.io/v1/endpointslices', { program: 'kubeProxy' }));
    expect(after['items']).toMatchObject([{ endpoints: [{ conditions: { ready: false } }, {}] }]);
  });

  test('a node registers itself as one that exists, and leaves other nodes alone', () => {
    const ask = apiServer();
    expect(ask('POST', '/api/v1/nodes')).toMatchObject({ status: 409, body: { reason: 'AlreadyExists' } });
    expect(ask('PATCH', '/api/v1/nodes/s1/status', patch({})).status).toBe(403);
    expect(ask('PUT', '/api/v1/nodes/a1/status', { contentType: 'application/vnd.kubernetes.protobuf' }).status).toBe(
      200,
    );
    expect(ask('DELETE', '/api/v1/namespaces/shop/pods/web').status).toBe(503);
    expect(ask('POST', '/api/v1/namespaces/shop/pods').status).toBe(503);
  });

  test('a broken patch is refused', () => {
    const broken = { ...patch({}), body: '{"status":' };
    expect(apiServer()('PATCH', '/api/v1/nodes/a1/status', broken).status).toBe(400);
    expect(apiServer()('PATCH', '/api/v1/nodes/a1/status', patch([])).status).toBe(400);
  });

  test('leases are fresh, events are swallowed, nobody is let in', () => {
    const ask = apiServer();
    const lease = ask('PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a1?timeout=10s');
    expect(lease).toMatchObject({ status: 200, body: { kind: 'Lease', spec: { holderIdentity: 'a1' } } });
    expect((bodyOf(lease)['spec'] as Json)['renewTime']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(ask('POST', '/api/v1/namespaces/shop/events')).toMatchObject({ status: 201, body: { kind: 'Event' } });
    const byProxy = ask('POST', '/apis/events.k8s.io/v1/namespaces/default/events', { program: 'kubeProxy' });
    expect(byProxy).toMatchObject({ status: 201, body: { apiVersion: 'events.k8s.io/v1' } });
    expect(ask('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews')).toMatchObject({
      status: 201,
      body: { kind: 'SubjectAccessReview', status: { allowed: false } },
    });
    expect(ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews')).toMatchObject({
      status: 201,
      body: { kind: 'TokenReview', status: { authenticated: false } },
    });
  });

  test('a token is a placeholder that soon makes room for a true one', () => {
    const body = bodyOf(apiServer()('POST', '/api/v1/namespaces/shop/serviceaccounts/default/token'));
    expect(body).toMatchObject({
      kind: 'TokenRequest',
      spec: { expirationSeconds: 60, boundObjectRef: { kind: 'Pod' } },
      status: { token: 'the-server-is-away' },
    });
    expect((body['status'] as Json)['expirationTimestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});
