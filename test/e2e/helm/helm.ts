/** HelmCharts from every place a chart can be in, in good days and bad ones, by helm's own SDK on a real cluster: more than a minute. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFileIfExists } from '../../../src/shared/files/files.ts';
import { busyboxImage } from '../../helpers/cluster.ts';
import type { Box } from '../../helpers/cluster.ts';
import { processesOf } from '../../helpers/processes.ts';
import { restartServer } from '../../helpers/shared.ts';
import { eventually } from '../../helpers/wait.ts';
import { tlsSecret } from '../nodes/tls-secret.ts';
import { putToUse, theBox } from '../server-in-use.ts';
import { contentOf, helm, packToy, releasesOf, serveCharts } from './toy.ts';

const server = resolve(import.meta.dirname, '../../fixtures/helm/server.ts');
const namespace = 'charts';
const staticDir = '/var/lib/kagent/server/static/charts';
let box: Box;
let image: string;
let toy: string;

beforeAll(async () => {
  box = theBox();
  await putToUse(box);
  await box.kubectl('create', 'namespace', namespace);
  image = await busyboxImage();
  toy = await contentOf(box, await packToy(box, '1.0.0', image));
});

// The stories that follow wait for every pod to be Ready, and look for what is left on the box.
afterAll(async () => {
  await box.tryKubectl('delete', 'namespace', namespace, 'made', '--timeout=60s');
  await box.sh(`sed '/private.example$/d' /etc/hosts >/tmp/hosts && cat /tmp/hosts >/etc/hosts
rm -rf /tmp/charts /tmp/registry /tmp/registry.json /tmp/hosts`);
});

const kubectl = (...args: readonly string[]) => box.kubectl('-n', namespace, ...args);

/** Applies a HelmChart; numbers of a spec are written as they stand in the text. */
async function apply(name: string, spec: string | Readonly<Record<string, unknown>>, kind = 'HelmChart') {
  const text = typeof spec === 'string' ? spec : JSON.stringify(spec);
  const head = `{"apiVersion": "helm.cattle.io/v1", "kind": "${kind}", "metadata": {"name": "${name}", "namespace": "${namespace}"}`;
  await box.apply(`${head},\n"spec": ${text}}`);
}

interface Status {
  readonly reason: string;
  readonly message: string;
  readonly isReady: boolean;
  readonly revision: number | undefined;
}

async function statusOf(name: string): Promise<Status> {
  const { status = {} } = JSON.parse(await kubectl('get', 'helmchart', name, '-o', 'json')) as {
    readonly status?: {
      readonly conditions?: readonly {
        readonly type: string;
        readonly status: string;
        readonly reason: string;
        readonly message: string;
      }[];
      readonly release?: { readonly revision: number };
    };
  };
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  return {
    reason: ready?.reason ?? '',
    message: ready?.message ?? '',
    isReady: ready?.status === 'True',
    revision: status.release?.revision,
  };
}

/** Until the release has this revision and the HelmChart is Ready. */
async function ready(name: string, revision: number): Promise<void> {
  let last: Status | undefined;
  const isSo = async () => {
    last = await statusOf(name);
    return last.isReady && last.revision === revision;
  };
  await eventually(isSo, { withinMs: 90_000, everyMs: 200, what: `revision ${revision} of ${name}` }).catch(
    (error: unknown) => {
      throw new Error(`${name}: ${JSON.stringify(last)}`, { cause: error });
    },
  );
}

const saysReason = (name: string, reason: string) =>
  eventually(async () => (await statusOf(name)).reason === reason, { withinMs: 60_000, everyMs: 200, what: reason });

/** Between two tries it says that helm is at work. */
const saysWhy = (name: string, expected: string, why: RegExp) => {
  const isSaid = async () => {
    const { reason, message } = await statusOf(name);
    return reason === expected && why.test(message);
  };
  return eventually(isSaid, { withinMs: 60_000, everyMs: 200, what: `${expected}: ${String(why)}` });
};

const wordOf = async (name: string) =>
  JSON.parse(await kubectl('get', 'configmap', `${name}-word`, '-o', 'jsonpath={.data}')) as {
    readonly word: string;
    readonly number: string;
    readonly revision: string;
  };

async function eventsOf(name: string): Promise<readonly string[]> {
  const path = '{range .items[*]}{.reason}{"\\n"}{end}';
  const text = await kubectl(
    'get',
    'events',
    '--field-selector',
    `involvedObject.name=${name}`,
    '-o',
    `jsonpath=${path}`,
  );
  return text.trim().split('\n');
}

const helms = () => processesOf(box).filter(({ commandLine }) => commandLine.includes('helm-release'));

/** Of a process of the box; 0 of one that has ended. */
function anonymousKiB(pid: number): number {
  const status = readFileIfExists(box.path(`/proc/${pid}/status`)) ?? '';
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}

test('a chart in the object itself is installed at once, as an ordinary release of helm, and nothing keeps running', async () => {
  expect(helms()).toEqual([]);
  const from = performance.now();
  await apply('inline', { chartContent: toy, valuesContent: 'word: hello', values: { number: 2 } });
  const peaks: number[] = [];
  const sampling = setInterval(() => peaks.push(...helms().map(({ pid }) => anonymousKiB(pid))), 10);
  await ready('inline', 1);
  clearInterval(sampling);
  console.log(
    `installed after ${Math.round(performance.now() - from)} ms; helm held ${Math.max(...peaks)} KiB at most`,
  );
  expect(await wordOf('inline')).toMatchObject({ word: 'hello', number: '2' });
  expect(await releasesOf(box, namespace)).toMatchObject([
    { name: 'inline', revision: '1', status: 'deployed', chart: 'toy-1.0.0' },
  ]);
  await eventually(() => helms().length === 0, { what: 'the end of helm' });
  await eventually(async () => (await eventsOf('inline')).includes('Installed'));
  expect(await box.kubectl('get', 'jobs,pods', '-A', '-o', 'name')).not.toContain('helm');
});

test('a HelmChartConfig has the last word, 64-bit integers keep their digits, and what changes nothing upgrades nothing', async () => {
  await apply('inline', '{"valuesContent": "word: config\\nnumber: 9223372036854775807"}', 'HelmChartConfig');
  await ready('inline', 2);
  expect(await wordOf('inline')).toMatchObject({ word: 'config', number: '9223372036854775807', revision: '2' });
  await kubectl('annotate', 'helmchart', 'inline', 'touched=yes');
  await apply('inline', {
    chartContent: toy,
    valuesContent: 'word: hello',
    values: { number: 2 },
    jobImage: 'x',
    backOffLimit: 3,
  });
  await kubectl('delete', 'helmchartconfig', 'inline');
  await ready('inline', 3);
  expect(await wordOf('inline')).toMatchObject({ word: 'hello', number: '2' });
  await eventually(async () => (await eventsOf('inline')).includes('Upgraded'));
  await eventually(async () => (await eventsOf('inline')).includes('FieldsIgnored'));
});

test('archives of this server are installed by address, and by the name that their index has for them', async () => {
  await box.sh(`mkdir -p ${staticDir}`);
  const archive = await packToy(box, '2.0.0', image);
  await box.sh(`cp ${archive} ${staticDir}/; echo secret >${staticDir}/notes.txt`);
  await helm(box, 'repo', 'index', staticDir, '--url', 'https://127.0.0.1:9345/static/charts');
  await apply('by-address', {
    chart: 'https://%{KUBERNETES_API}%/static/charts/toy-2.0.0.tgz',
    targetNamespace: 'made',
    createNamespace: true,
  });
  await apply('by-name', {
    chart: 'toy',
    repo: 'https://%{KUBERNETES_API}%/static/charts',
    set: { word: 'set, and told', number: 7 },
  });
  await Promise.all([ready('by-address', 1), ready('by-name', 1)]);
  expect(await wordOf('by-name')).toMatchObject({ word: 'set, and told', number: '7' });
  expect(await box.kubectl('-n', 'made', 'get', 'configmap', '-o', 'name')).toContain('configmap/by-address-word');
  const answer = (path: string) =>
    box.sh(`curl -sk --path-as-is -o /dev/null -w '%{http_code}' https://127.0.0.1:9345${path}`);
  expect(await answer('/static/charts/toy-2.0.0.tgz')).toBe('200');
  const hidden = ['', 'notes.txt', '..%2f..%2fnode-token', '../../node-token', '%2e%2e/%2e%2e/node-token'];
  for (const path of hidden) expect(`${path} ${await answer(`/static/charts/${path}`)}`).toBe(`${path} 404`);
});

test('a chart comes from a registry', async () => {
  const end = await serveCharts(box, '127.0.0.1:5000');
  await helm(box, 'push', '/tmp/charts/toy-1.0.0.tgz', 'oci://127.0.0.1:5000/charts', '--plain-http');
  await apply('from-oci', { chart: 'oci://127.0.0.1:5000/charts/toy', version: '1.0.0', plainHTTP: true });
  await ready('from-oci', 1);
  expect(await wordOf('from-oci')).toMatchObject({ word: 'default' });
  await end();
});

/** Charts and a webhook by TLS, at port 9443 of the box. @returns how to end it, and what verifies it */
async function serveByTls() {
  const { caPem, secret } = await tlsSecret('private', ['private.example']);
  for (const [name, content] of Object.entries(secret.data))
    await writeFile(box.path(`/tmp/charts/${name}`), Buffer.from(content, 'base64'));
  await box.sh('grep -q private.example /etc/hosts || echo 127.0.0.1 private.example >>/etc/hosts');
  const tls = ['/tmp/charts/tls.crt', '/tmp/charts/tls.key'];
  const start = async () => {
    const running = box.run([process.execPath, server, '9443', ...tls, '/tmp/charts/private', 'anna:secret']);
    const answers = () => box.sh('curl -sk -o /dev/null https://private.example:9443/').then(() => true);
    await eventually(answers, { withinMs: 20_000, what: 'the server' });
    return async () => {
      const [{ pid } = { pid: 0 }] = processesOf(box).filter(({ commandLine }) => commandLine.includes(server));
      await box.signal(pid, 'KILL');
      await running.exited;
    };
  };
  return { caPem, start };
}

test('a chart comes from a private repository, as soon as the password is right', async () => {
  const url = 'https://private.example:9443';
  await box.sh('mkdir -p /tmp/charts/private && cp /tmp/charts/toy-1.0.0.tgz /tmp/charts/private');
  await helm(box, 'repo', 'index', '/tmp/charts/private', '--url', url);
  const { caPem, start } = await serveByTls();
  const end = await start();
  const account = (password: string) => {
    const head = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'account', namespace } };
    return box.apply(`${JSON.stringify({ ...head, stringData: { username: 'anna', password } })}\n`);
  };
  await account('wrong');
  await kubectl('create', 'configmap', 'authority', `--from-literal=ca.pem=${caPem}`);
  const reached = { authSecret: { name: 'account' }, repoCAConfigMap: { name: 'authority' } };
  await apply('from-private', { repo: url, chart: 'toy', version: '1.0.0', ...reached });
  await saysWhy('from-private', 'ChartUnavailable', /401/);
  await account('secret');
  await ready('from-private', 1);
  expect(JSON.stringify(await statusOf('from-private'))).not.toContain('secret');
  await end();
});

test('a chart that a webhook has to allow is installed when the webhook answers at last', async () => {
  const { caPem, start } = await serveByTls();
  const url = 'https://private.example:9443/validate';
  const hook = {
    name: 'late.example.com',
    clientConfig: { url, caBundle: Buffer.from(caPem).toString('base64') },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
  };
  const kind = 'ValidatingWebhookConfiguration';
  const webhook = { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: 'late' }, webhooks: [hook] };
  await box.apply(`${JSON.stringify(webhook)}\n`);
  await apply('late', { chartContent: toy });
  await saysWhy('late', 'InstallFailed', /late\.example\.com/);
  const end = await start();
  await ready('late', 1);
  await box.kubectl('delete', kind, 'late');
  await end();
  expect(await wordOf('late')).toMatchObject({ word: 'default' });
});

test('an upgrade that is refused leaves running what ran, says why, and is made up for when the values are right', async () => {
  const spec = (values: object) => ({ chartContent: toy, values });
  await apply('upgrades', spec({ word: 'good' }));
  await ready('upgrades', 1);
  await apply('upgrades', spec({ word: 'bad', refused: true }));
  await saysWhy('upgrades', 'UpgradeFailed', /spec\.ports\[0\]\.port: Invalid value: 1234567/);
  await eventually(async () => (await eventsOf('upgrades')).includes('RolledBack'));
  expect(await wordOf('upgrades')).toMatchObject({ word: 'good' });
  await apply('upgrades', spec({ word: 'better' }));
  await eventually(async () => (await statusOf('upgrades')).isReady, { withinMs: 30_000 });
  expect(await wordOf('upgrades')).toMatchObject({ word: 'better' });
});

test('what is wrong with values or chart is said once, in the object and as an event', async () => {
  const big = Array.from({ length: 24 }, (_, index) => `x${index}.txt`);
  await box.sh(
    `mkdir -p /tmp/charts/big/toy/files; cd /tmp/charts/big/toy/files; for f in ${big.join(' ')}; do head -c 60000 /dev/urandom | base64 -w0 >$f; done`,
  );
  await box.sh('cp -r /tmp/charts/1.0.0/toy/Chart.yaml /tmp/charts/1.0.0/toy/values.yaml /tmp/charts/big/toy/');
  await helm(box, 'package', '/tmp/charts/big/toy', '-d', '/tmp/charts', '--version', '9.0.0');
  await box.sh(`cp /tmp/charts/toy-9.0.0.tgz ${staticDir}/`);
  const wrong = {
    'bad-yaml': [
      { chartContent: toy, valuesContent: 'a: [' },
      'ValuesInvalid',
      /valuesContent of the HelmChart: .*line 1/,
    ],
    'bad-base64': [{ chartContent: '%%%' }, 'ChartInvalid', /chartContent is not base64/],
    'no-archive': [{ chartContent: 'aGVsbG8=' }, 'ChartInvalid', /the chart cannot be read/],
    'a-file': [{ chart: '/etc/kagent' }, 'SpecInvalid', /is no https:\/\/ or oci:\/\/ address/],
    'too-large': [
      { chart: 'https://%{KUBERNETES_API}%/static/charts/toy-9.0.0.tgz' },
      'ReleaseTooLarge',
      /holds 1 MiB/,
    ],
    'no-secret': [
      { chartContent: toy, valuesSecrets: [{ name: 'none', keys: ['a'] }] },
      'ReferenceMissing',
      /there is no Secret charts\/none/,
    ],
  } as const;
  for (const [name, [spec]] of Object.entries(wrong)) await apply(name, spec);
  for (const [name, [, reason, message]] of Object.entries(wrong)) {
    await saysReason(name, reason);
    expect((await statusOf(name)).message).toMatch(message);
    await eventually(async () => (await eventsOf(name)).includes(reason));
    expect((await eventsOf(name)).filter((one) => one === reason)).toHaveLength(1);
  }
  await kubectl('delete', 'helmchart', ...Object.keys(wrong), '--timeout=60s');
  const unknown = await box.tryKubectl('apply', '-f', await box.putManifest(unknownField));
  expect(unknown.stderr).toContain('unknown field "spec.valueContent"');
});

test('a chart whose kind is defined later is installed then, and nothing is installed and removed meanwhile', async () => {
  await apply('early', { chartContent: toy, values: { toy: true } });
  // Between two tries it says that helm is at work.
  const hasFailedForIt = async () => /HelmToy/.test((await statusOf('early')).message);
  await eventually(hasFailedForIt, { withinMs: 60_000, everyMs: 200, what: 'a failure for want of the kind' });
  expect((await releasesOf(box, namespace)).map(({ name }) => name)).not.toContain('early');
  await box.apply(toyKind);
  await ready('early', 1);
  await eventually(async () => (await eventsOf('early')).includes('Installed'));
  expect(new Set(await eventsOf('early'))).toEqual(new Set(['InstallFailed', 'Installed']));
});

/** Ends kagent; the kernel ends helm and the others with it, which may take a moment. */
async function kill(): Promise<void> {
  await box.signal((await box.status()).pid, 'KILL');
  await box.running().exited;
  await eventually(() => helms().length === 0, { withinMs: 2000, what: 'the end of helm' });
  const listens6443 = ':192B 0*:0000 0A'; // in /proc/net/tcp
  const isFree = () => box.sh(`! cat /proc/net/tcp /proc/net/tcp6 | grep -q '${listens6443}'`).then(() => true);
  await eventually(isFree, { withinMs: 5000, everyMs: 100, what: "kube-apiserver's port" });
}

test('kagent killed in the middle of an installation, an upgrade and a removal: each is put right by the next', async () => {
  const spec = (word: string, seconds: number) => ({ chartContent: toy, values: { word, seconds } });
  await apply('upgraded', { chartContent: toy, values: { word: 'before' } });
  await apply('removed', spec('gone', 2));
  await Promise.all([ready('upgraded', 1), ready('removed', 1)]);
  await apply('installed', spec('new', 3));
  await apply('upgraded', spec('after', 3));
  const pending = (...states: readonly string[]) =>
    eventually(
      async () => {
        const now = (await releasesOf(box, namespace)).map(({ status }) => status);
        return states.every((state) => now.includes(state));
      },
      { withinMs: 30_000, everyMs: 100, what: states.join() },
    );
  await pending('pending-install', 'pending-upgrade');
  await kill();
  await box.startServer();
  await Promise.all([
    ready('installed', 1),
    eventually(async () => (await statusOf('upgraded')).isReady, { withinMs: 60_000 }),
  ]);
  expect(await wordOf('installed')).toMatchObject({ word: 'new' });
  expect(await wordOf('upgraded')).toMatchObject({ word: 'after' });
  expect(await eventsOf('installed')).toContain('Recovering');
  await kubectl('delete', 'helmchart', 'removed', '--wait=false');
  await pending('uninstalling');
  await kill();
  await box.startServer();
  await eventually(async () => (await box.tryKubectl('-n', namespace, 'get', 'helmchart', 'removed')).code !== 0, {
    withinMs: 60_000,
  });
  expect(
    (await releasesOf(box, namespace)).map(({ status }) => status).filter((status) => status !== 'deployed'),
  ).toEqual([]);
});

test("somebody else's helm is not cut off", async () => {
  await apply('shared', { chartContent: toy, values: { word: 'object' } });
  await ready('shared', 1);
  const byHand = helm(
    box,
    'upgrade',
    'shared',
    '/tmp/charts/toy-1.0.0.tgz',
    '-n',
    namespace,
    '--set',
    'held=true,word=hand',
  );
  await eventually(async () => (await releasesOf(box, namespace)).some(({ status }) => status === 'pending-upgrade'), {
    withinMs: 20_000,
  });
  await apply('shared', { chartContent: toy, values: { word: 'newer' } });
  await saysReason('shared', 'ReleaseBusy');
  await kubectl('wait', 'pod', '-l', 'job-name=shared-slow', '--for=condition=Ready', '--timeout=60s');
  await kubectl('exec', 'job/shared-slow', '--', 'touch', '/go');
  await byHand;
  await ready('shared', 3);
  expect(await wordOf('shared')).toMatchObject({ word: 'newer' });
});

test('a HelmChart whose repository is away is deleted with its release', async () => {
  await box.sh(`rm -r ${staticDir}`);
  await kubectl('delete', 'helmchart', 'by-name', 'from-oci', 'by-address', '--timeout=60s');
  expect(await kubectl('get', 'configmap', '-o', 'name')).not.toContain('by-name');
  expect(await box.kubectl('-n', 'made', 'get', 'configmap', '-o', 'name')).not.toContain('by-address');
});

test('where the controller is disabled releases keep running, and a HelmChart goes without its release', async () => {
  await restartServer(box, '--disable-helm-controller');
  const condition = async () =>
    (await box.status()).components.find(({ name }) => name === 'helm-controller')?.condition;
  await eventually(async () => (await condition())?.status === 'True', { withinMs: 30_000 });
  const finalizers = () => kubectl('get', 'helmcharts', '-o', 'jsonpath={.items[*].metadata.finalizers}');
  await eventually(async () => (await finalizers()) === '', { withinMs: 30_000 });
  await kubectl('delete', 'helmchart', 'inline', '--timeout=30s');
  expect(await wordOf('inline')).toMatchObject({ word: 'hello' });
  const isBound = async () => (await box.tryKubectl('get', 'clusterrolebinding', 'kagent:helm-controller')).code === 0;
  await eventually(async () => !(await isBound()), { withinMs: 60_000, what: 'the end of its rights' });
  await restartServer(box);
  const left = (await kubectl('get', 'helmcharts', '-o', 'name')).trim().split('\n').length;
  const kept = async () => (await finalizers()).match(/on-helm-chart-remove/g)?.length === left;
  await eventually(kept, { withinMs: 30_000, what: 'finalizers' });
  await helm(box, 'uninstall', 'inline', '-n', namespace);
  await kubectl('delete', 'helmcharts', '--all', '--timeout=90s');
  expect(await releasesOf(box, namespace)).toEqual([]);
});

const unknownField = `
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: misspelt, namespace: charts}
spec: {chart: toy, valueContent: "a: b"}
`;

const toyKind = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: helmtoys.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: HelmToy, plural: helmtoys}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`;
