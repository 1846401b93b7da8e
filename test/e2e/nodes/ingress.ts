import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webDeployment } from '../../helpers/manifests.ts';
import { restartServer } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { tlsSecret } from './tls-secret.ts';

const peer = resolve(import.meta.dirname, '../../fixtures/ingress/peer.ts');
const text = (...objects: readonly object[]) => objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('');
const named = (apiVersion: string, kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
});

const web = (port = 80) => ({ service: { name: 'web', port: { number: port } } });
const ingress = (name: string, spec: object) => named('networking.k8s.io/v1', 'Ingress', name, spec);
const rule = (host: string, ...paths: readonly (readonly [string, string])[]) => ({
  host,
  http: { paths: paths.map(([path, pathType]) => ({ path, pathType, backend: web() })) },
});
const ingressRoute = (name: string, match: string, route: object = {}, spec: object = {}) =>
  named('traefik.io/v1alpha1', 'IngressRoute', name, {
    entryPoints: ['web'],
    routes: [{ kind: 'Rule', match, services: [{ name: 'web', port: 80 }], ...route }],
    ...spec,
  });
const tcpRoute = (name: string, entryPoint: string, match: string, port: number, spec: object = {}) =>
  named('traefik.io/v1alpha1', 'IngressRouteTCP', name, {
    entryPoints: [entryPoint],
    routes: [{ match, services: [{ name: 'peer', port }] }],
    ...spec,
  });
const gatewayRoute = (kind: string, name: string, spec: object) =>
  named('gateway.networking.k8s.io/v1', kind, name, spec);

/** Two pods that serve on for a little when they are to end, as everything behind a load balancer should. */
const backend = webDeployment(2, {
  pod: { terminationGracePeriodSeconds: 5 },
  container: { lifecycle: { preStop: { sleep: { seconds: 3 } } } },
});
const service = named('v1', 'Service', 'web', { selector: { app: 'web' }, ports: [{ port: 80 }] });

/** A certificate for every name of these stories, of an authority that nobody knows yet. */
async function certificate() {
  const { caPem, secret } = await tlsSecret('web-tls', ['web.example', 'tls.example', 'calls.example']);
  return { caPem, secret: { ...secret, metadata: { ...secret.metadata, namespace: 'shop' } } };
}

/** Traefik behind the load balancer, asked from a host that is no node. */
export function ingressStories(nodes: () => Nodes): void {
  const server = () => nodes().server;
  const kubectl = (...args: readonly string[]) => server().kubectl(...args);
  const addresses = () => [server(), ...nodes().agents].map(({ host }) => host.address);
  const health = async () => (await server().status()).components.find(({ name }) => name === 'traefik')?.condition;
  let client: Box;
  const features = () =>
    kubectl('get', 'gatewayclass', 'traefik', '-o', 'jsonpath={.status.supportedFeatures[*].name}');
  /** Why a listener of a Gateway is accepted, or is not. */
  const reasonOf = (gateway: string, listener: string) => {
    const path = `jsonpath={.status.listeners[?(@.name=="${listener}")].conditions[?(@.type=="Accepted")].reason}`;
    return kubectl('get', 'gateway', '-n', 'shop', gateway, '-o', path);
  };
  let featuresAtRest = '';

  const curl = (host: string, path: string, address = addresses()[0] ?? '', flags = '') =>
    client.host.exec([
      'sh',
      '-c',
      `curl -s -m 60 ${flags} -H 'Host: ${host}' -w ' %{http_code}' http://${address}${path}`,
    ]);
  const answer = async (...args: Parameters<typeof curl>) =>
    (await curl(...args)).stdout.replaceAll(/\s+/g, ' ').trim();
  const untilAnswered = (host: string, path: string, expected: RegExp, withinMs = 60_000) =>
    eventually(
      async () => {
        const said = await answer(host, path);
        if (!expected.test(said)) throw new Error(`said '${said}'; Traefik: ${JSON.stringify(await health())}`);
        return true;
      },
      { withinMs, what: `${host}${path}` },
    );
  const trust = (caPem: string, file = '/tmp/ca.pem') => writeFileSync(client.path(file), caPem);
  const overTls = (host: string, path = '/', flags = '', ca = '/tmp/ca.pem') =>
    client.host.exec([
      'sh',
      '-c',
      `curl -s -m 10 --cacert ${ca} --resolve ${host}:443:${addresses()[1]} ${flags} https://${host}${path}`,
    ]);
  /** With a certificate of its own, of an authority of its own. */
  const servePeer = async () => {
    const { caPem, secret } = await tlsSecret('peer', ['passed.example', 'sni.example']);
    trust(caPem, '/tmp/peer-ca.pem');
    for (const [name, content] of Object.entries(secret.data))
      writeFileSync(client.path(`/tmp/peer-${name}`), Buffer.from(content, 'base64'));
    client.run([process.execPath, peer, 'serve', '/tmp/peer-tls.crt', '/tmp/peer-tls.key']);
  };
  const node = (...args: readonly string[]) =>
    client.host.exec([process.execPath, peer, ...args], { timeoutMs: 20_000 });
  const untilStops = async (work: () => Promise<void>, ask: string) => {
    const asking = client.run([
      'sh',
      '-c',
      `rm -f /tmp/stop; n=0; while [ ! -e /tmp/stop ]; do ${ask}; n=$((n+1)); done; echo asked $n`,
    ]);
    await work();
    await client.sh('touch /tmp/stop');
    await asking.exited;
    return asking.output();
  };

  beforeAll(async () => {
    client = await nodes().addBox('client', 42);
    await kubectl('create', 'namespace', 'shop');
    await server().apply(backend + text(service), '-n', 'shop');
    await kubectl('rollout', 'status', '-n', 'shop', 'deployment/web', '--timeout=60s');
  }, 120_000);

  test('nothing of it runs while there is no route, and the status says so; its ports are there', async () => {
    await eventually(async () => (await health())?.reason === 'Idle', { withinMs: 60_000, what: 'an idle Traefik' });
    expect((await health())?.message).toContain('not running: there is no Ingress');
    expect(
      await kubectl('get', 'pods', '-n', 'kube-system', '-l', 'app.kubernetes.io/name=traefik', '-o', 'name'),
    ).toBe('');
    const ports = await kubectl(
      'get',
      'service',
      '-n',
      'kube-system',
      'traefik',
      '-o',
      'jsonpath={.spec.ports[*].port}',
    );
    expect(ports).toBe('80 443');
  });

  test('its GatewayClass is accepted before that, with the features that Traefik then names itself', async () => {
    await kubectl('wait', 'gatewayclass/traefik', '--for=condition=Accepted', '--timeout=10s');
    featuresAtRest = await features();
    expect(featuresAtRest).toContain('HTTPRoute ');
  });

  test('an Ingress starts it; from the moment it has an address, or a Gateway is programmed, no request fails', async () => {
    const { caPem, secret } = await certificate();
    trust(caPem);
    await server().apply(
      text(
        secret,
        ingress('web', {
          tls: [{ hosts: ['tls.example'], secretName: 'web-tls' }],
          rules: [
            rule('web.example', ['/exact', 'Exact'], ['/prefix', 'Prefix']),
            rule('tls.example', ['/', 'Prefix']),
          ],
        }),
        gatewayRoute('Gateway', 'first', {
          gatewayClassName: 'traefik',
          listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }],
        }),
      ),
    );
    const atOnce = kubectl('wait', '-n', 'shop', 'gateway/first', '--for=condition=Programmed', '--timeout=60s').then(
      () => answer('nobody.example', '/', addresses()[1]),
    );
    const listed = () =>
      kubectl('get', 'ingress', '-n', 'shop', 'web', '-o', 'jsonpath={.status.loadBalancer.ingress[*].ip}');
    const known = await eventually(async () => (await listed()) || undefined, { withinMs: 60_000, what: 'an address' });
    const answers = await Promise.all(addresses().map((address) => answer('web.example', '/prefix', address)));
    expect(answers.every((one) => / (404|200)$/.test(one))).toBe(true);
    expect(known.split(' ').toSorted()).toEqual(addresses().toSorted());
    expect(await atOnce).toBe('404 page not found 404');
    // BusyBox' httpd has the file / alone: 404 with its own page is the backend's.
    expect(await answer('web.example', '/other')).toBe('404 page not found 404');
    expect(await answer('web.example', '/exact/more')).toBe('404 page not found 404');
    expect(await answer('web.example', '/prefix/more')).toContain('404 Not Found');
    expect(await answer('web.example', '/exact')).toContain('404 Not Found');
    expect((await overTls('tls.example', '/', '--http2')).stdout).toMatch(/^web-/);
    expect(await eventually(async () => (await health())?.reason === 'Serving')).toBe(true);
    const byTraefik = 'jsonpath={.status.conditions[?(@.type=="Accepted")].message}';
    expect(await kubectl('get', 'gatewayclass', 'traefik', '-o', byTraefik)).toContain('Traefik controller');
    expect(await features()).toBe(featuresAtRest);
  }, 120_000);

  test('an Ingress without rules is what answers when nothing else does', async () => {
    await server().apply(text(ingress('default', { defaultBackend: web() })));
    await untilAnswered('nobody.example', '/', /^web-\S+ 200$/);
    expect(await answer('web.example', '/')).toMatch(/^web-\S+ 200$/);
    await kubectl('delete', 'ingress', '-n', 'shop', 'default');
  });

  test('a route of the Gateway API answers, at kagent’s Gateway and at one of a person’s with TLS', async () => {
    const backendRefs = [{ name: 'web', port: 80 }];
    await server().apply(
      text(
        gatewayRoute('HTTPRoute', 'web', {
          parentRefs: [{ name: 'traefik-gateway', namespace: 'kube-system' }],
          hostnames: ['route.example'],
          rules: [{ backendRefs }],
        }),
        gatewayRoute('Gateway', 'own', {
          gatewayClassName: 'traefik',
          listeners: [
            {
              name: 'calls',
              port: 443,
              protocol: 'HTTPS',
              hostname: 'calls.example',
              tls: { certificateRefs: [{ name: 'web-tls' }] },
            },
          ],
        }),
        gatewayRoute('GRPCRoute', 'calls', {
          parentRefs: [{ name: 'own' }],
          hostnames: ['calls.example'],
          rules: [{ backendRefs: [{ name: 'peer', port: 8081 }] }],
        }),
        named('v1', 'Service', 'peer', {
          ports: [
            { name: 'http', port: 8080 },
            { name: 'grpc', port: 8081, appProtocol: 'kubernetes.io/h2c' },
            { name: 'lines', port: 8082 },
            { name: 'words', port: 8083, protocol: 'UDP' },
            { name: 'tls', port: 8443 },
          ],
        }),
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: 'peer', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'peer' } },
          addressType: 'IPv4',
          endpoints: [{ addresses: [client.host.address], conditions: { ready: true } }],
          ports: [
            { name: 'http', port: 8080 },
            { name: 'grpc', port: 8081 },
            { name: 'lines', port: 8082 },
            { name: 'words', port: 8083, protocol: 'UDP' },
            { name: 'tls', port: 8443 },
          ],
        },
      ),
    );
    await servePeer();
    await untilAnswered('route.example', '/', /^web-\S+ 200$/);
    await kubectl('wait', '-n', 'shop', 'gateway/own', '--for=condition=Programmed', '--timeout=30s');
    const said = await eventually(
      async () => {
        const { stdout } = await node('grpc', 'calls.example', addresses()[2] ?? '', '/tmp/ca.pem');
        return stdout.includes('grpc-status') ? stdout : undefined;
      },
      { withinMs: 60_000, what: 'the answer of a gRPC call' },
    );
    expect(said).toBe('/echo.Echo/Say one, /echo.Echo/Say two; grpc-status 0\n');
  }, 120_000);

  test('an IngressRoute with a Middleware answers; WebSockets and a body of 100 MB go through', async () => {
    await server().apply(
      text(
        named('traefik.io/v1alpha1', 'Middleware', 'strip', { stripPrefix: { prefixes: ['/web'] } }),
        ingressRoute('web', 'Host(`own.example`) && PathPrefix(`/web`)', { middlewares: [{ name: 'strip' }] }),
        ingressRoute('peer', 'Host(`peer.example`)', { services: [{ name: 'peer', port: 8080 }] }),
      ),
    );
    await untilAnswered('own.example', '/web/', /^web-\S+ 200$/);
    await untilAnswered('peer.example', '/', /^1\.1 0 bytes 200$/);
    expect((await node('websocket', 'peer.example', addresses()[1] ?? '')).stdout).toBe('heard hello\n');
    await client.sh('truncate -s 100000000 /tmp/body');
    expect(await answer('peer.example', '/', addresses()[2], '-T /tmp/body')).toBe('1.1 100000000 bytes 200');
  }, 120_000);

  test('TLS that the backend itself ends goes through, by a TLSRoute and by an IngressRouteTCP', async () => {
    await server().apply(
      text(
        gatewayRoute('Gateway', 'passing', {
          gatewayClassName: 'traefik',
          listeners: [
            { name: 'tls', port: 443, protocol: 'TLS', hostname: 'passed.example', tls: { mode: 'Passthrough' } },
            { name: 'later', port: 8080, protocol: 'HTTP' },
          ],
        }),
        gatewayRoute('TLSRoute', 'passed', {
          parentRefs: [{ name: 'passing', sectionName: 'tls' }],
          hostnames: ['passed.example'],
          rules: [{ backendRefs: [{ name: 'peer', port: 8443 }] }],
        }),
        tcpRoute('sni', 'websecure', 'HostSNI(`sni.example`)', 8443, { tls: { passthrough: true } }),
      ),
    );
    for (const host of ['passed.example', 'sni.example'])
      await eventually(
        async () => (await overTls(host, '/', '', '/tmp/peer-ca.pem')).stdout === 'by its own certificate\n',
        { withinMs: 30_000, what: `${host} by the backend's certificate` },
      );
    expect((await overTls('tls.example')).stdout).toMatch(/^web-/);
    // At 8080 Traefik has its own business inside of its pod, and nothing outside.
    expect(await reasonOf('passing', 'later')).toBe('PortUnavailable');
  }, 120_000);

  test('a HelmChartConfig gives it further ports: for TCP, for UDP, and for the listener of a Gateway', async () => {
    const valuesContent = JSON.stringify({
      ports: {
        lines: { port: 19_000, exposedPort: 9000, expose: { default: true } },
        words: { port: 19_001, exposedPort: 9001, protocol: 'UDP', expose: { default: true } },
        http8080: { port: 18_080, exposedPort: 8080, expose: { default: true } },
      },
    });
    const metadata = { name: 'traefik', namespace: 'kube-system' };
    await server().apply(
      text(
        { apiVersion: 'helm.cattle.io/v1', kind: 'HelmChartConfig', metadata, spec: { valuesContent } },
        tcpRoute('lines', 'lines', 'HostSNI(`*`)', 8082),
        named('traefik.io/v1alpha1', 'IngressRouteUDP', 'words', {
          entryPoints: ['words'],
          routes: [{ services: [{ name: 'peer', port: 8083 }] }],
        }),
        gatewayRoute('HTTPRoute', 'later', {
          parentRefs: [{ name: 'passing', sectionName: 'later' }],
          rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
        }),
      ),
    );
    const [address = ''] = addresses();
    const says = (what: string, ask: () => Promise<string>, expected: RegExp) =>
      eventually(async () => expected.test(await ask()), { withinMs: 60_000, what });
    await says('a line by TCP', async () => (await node('tcp', address, '9000')).stdout, /^heard a line$/m);
    await says('a word by UDP', async () => (await node('udp', address, '9001')).stdout, /^heard a word$/m);
    await says('port 8080', () => answer('any.example', '/', `${address}:8080`), /^web-\S+ 200$/);
    const accepted = says('a listener that is accepted', () => reasonOf('passing', 'later'), /^Accepted$/);
    await expect(accepted).resolves.toBe(true);
  }, 120_000);

  test('what only Traefik 2 understands gets an event that says what to write', async () => {
    await server().apply(text(ingressRoute('old', 'Host(`a.example`, `b.example`)')));
    const events = ['get', 'events', '-n', 'shop', '--field-selector', 'involvedObject.name=old'];
    const message = 'jsonpath={.items[*].message}';
    const said = await eventually(async () => (await kubectl(...events, '-o', message)) || undefined, {
      what: 'the event',
    });
    expect(said).toContain('write Host(`a.example`) || Host(`b.example`)');
    await kubectl('delete', 'ingressroute', '-n', 'shop', 'old');
  });

  test('backends that are replaced under load lose no request, and neither does Traefik itself', async () => {
    const output = await untilStops(async () => {
      for (const [namespace, deployment] of [
        ['shop', 'deployment/web'],
        ['kube-system', 'deployment/traefik'],
      ] as const) {
        await kubectl('rollout', 'restart', '-n', namespace, deployment);
        await kubectl('rollout', 'status', '-n', namespace, deployment, '--timeout=90s');
      }
      await client.sh('sleep 4'); // what has ended takes no connection any more
    }, `curl -sf -m 5 -o /dev/null -H 'Host: route.example' http://${addresses()[0]}/ || echo failed with $?`);
    expect(output).not.toContain('failed');
    expect(Number(/asked (\d+)/.exec(output)?.[1])).toBeGreaterThan(100);
  }, 240_000);

  test('a certificate that is renewed is served, and connections that are open stay', async () => {
    const { caPem, secret } = await certificate();
    const url = 'https://tls.example/?[1-40]';
    const resolved = `--resolve tls.example:443:${addresses()[1]}`;
    const asking = client.run([
      'sh',
      '-c',
      `curl -s -m 60 --rate 5/s --cacert /tmp/ca.pem ${resolved} -o /dev/null -w '%{stderr}%{num_connects} %{http_code}\n' '${url}'`,
    ]);
    await eventually(() => asking.output().includes('1 200'), { what: 'the first answer' });
    await server().apply(text(secret));
    trust(caPem, '/tmp/new.pem');
    await eventually(
      async () =>
        (await client.host.exec(['sh', '-c', `curl -s -m 5 --cacert /tmp/new.pem ${resolved} https://tls.example/`]))
          .code === 0,
      { what: 'the new certificate' },
    );
    expect(asking.output().split('\n').length).toBeLessThan(40); // it was served while the other connection was open
    await asking.exited;
    expect(asking.output().trim().split('\n')).toEqual(['1 200', ...Array.from({ length: 39 }, () => '0 200')]);
  }, 120_000);

  test('disabled, nothing of it is left but what people have made and its kinds; enabled again it answers', async () => {
    await restartServer(server(), '--disable', 'traefik');
    const left = () =>
      kubectl(
        'get',
        'deploy,svc,sa,gateway,gatewayclass,ingressclass,clusterrole,clusterrolebinding',
        '-A',
        '-l',
        'kagent.sh/addon=traefik',
        '-o',
        'name',
      );
    await eventually(async () => (await left()).trim() === '', { withinMs: 60_000, what: 'nothing of it' });
    await eventually(async () => (await health())?.reason === 'DefinitionsStay', { what: 'a word about what stays' });
    expect(await kubectl('get', 'ingressroutes,httproutes', '-n', 'shop', '-o', 'name')).toContain(
      'ingressroute.traefik.io/web',
    );
    await kubectl('delete', 'ingressroutes,ingressroutetcps,ingressrouteudps,middlewares', '-n', 'shop', '--all');
    await restartServer(server(), '--disable', 'traefik');
    const kinds = () => kubectl('get', 'crd', '-o', 'name');
    await eventually(async () => !(await kinds()).includes('traefik.io'), {
      withinMs: 60_000,
      what: 'an end of its own kinds',
    });
    expect(await kinds()).toContain('httproutes.gateway.networking.k8s.io');
    await restartServer(server());
    await untilAnswered('route.example', '/', /^web-\S+ 200$/);
  }, 300_000);
}
