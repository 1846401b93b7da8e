import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AgentConfig } from '../../../src/agent/config.ts';
import { environmentSource, everySetting, fileSource, loadConfig } from '../../../src/shared/config/config.ts';
import { flagsOf, schemas, serverSchema } from '../../helpers/modes.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

/** The flags on the pages `k3s server` and `k3s agent` of k3s's documentation, without --config. */
const documented = {
  server: `v vmodule log alsologtostderr debug bind-address https-listen-port advertise-address advertise-port tls-san
    tls-san-security data-dir secrets-encryption secrets-encryption-provider cluster-cidr service-cidr service-node-port-range
    cluster-dns cluster-domain flannel-backend flannel-ipv6-masq flannel-external-ip servicelb-namespace egress-selector-mode
    write-kubeconfig write-kubeconfig-mode write-kubeconfig-group helm-job-image token token-file agent-token agent-token-file
    server cluster-init cluster-reset cluster-reset-restore-path kube-apiserver-arg etcd-arg kube-controller-manager-arg
    kube-scheduler-arg kube-cloud-controller-manager-arg datastore-endpoint datastore-cafile datastore-certfile datastore-keyfile
    kine-tls etcd-expose-metrics etcd-disable-snapshots etcd-snapshot-name etcd-snapshot-schedule-cron
    etcd-snapshot-reconcile-interval etcd-snapshot-retention etcd-snapshot-dir etcd-snapshot-compress etcd-s3 etcd-s3-endpoint
    etcd-s3-endpoint-ca etcd-s3-skip-ssl-verify etcd-s3-access-key etcd-s3-secret-key etcd-s3-session-token etcd-s3-bucket
    etcd-s3-bucket-lookup-type etcd-s3-region etcd-s3-folder etcd-s3-proxy etcd-s3-config-secret etcd-s3-insecure
    etcd-s3-timeout etcd-s3-retention default-local-storage-path disable disable-scheduler disable-cloud-controller
    disable-kube-proxy disable-network-policy disable-helm-controller disable-apiserver disable-controller-manager disable-etcd
    disable-agent embedded-registry supervisor-metrics`,
  agent: 'server token token-file disable-apiserver-lb lb-server-port',
  both: `node-name with-node-id node-label node-taint image-credential-provider-bin-dir image-credential-provider-config docker
    container-runtime-endpoint default-runtime image-service-endpoint disable-default-registry-endpoint nonroot-devices
    pause-image snapshotter private-registry airgap-extra-registry system-default-registry node-ip node-external-ip
    node-internal-dns node-external-dns resolv-conf flannel-iface flannel-conf flannel-cni-conf vpn-auth vpn-auth-file
    kubelet-arg kube-proxy-arg protect-kernel-defaults enable-pprof rootless prefer-bundled-bin selinux debug v vmodule log
    alsologtostderr data-dir`,
};

test.each([
  ['server', serverSchema, `${documented.server} ${documented.both}`],
  ['agent', AgentConfig, `${documented.agent} ${documented.both}`],
] as const)('every documented flag of k3s %s is a setting, or is refused with a reason', (_, schema, flags) => {
  const known = new Set(everySetting(schema).map(({ key }) => key));
  expect(flags.split(/\s+/).filter((flag) => !known.has(flag))).toEqual([]);
});

function file(text: string): string {
  const path = join(temporaryDir(), 'config.yaml');
  writeFileSync(path, text);
  return path;
}

function fromFile(schema: typeof serverSchema | typeof AgentConfig, text: string) {
  return loadConfig(schema, [fileSource({ schema, known: schemas, path: file(text), required: true })]);
}

test('a setting that is not here is refused in the same words from each source', () => {
  const path = file('docker: true\n');
  const from = fileSource({ schema: AgentConfig, known: schemas, path, required: true });
  expect(() => loadConfig(AgentConfig, [from])).toThrow(
    `docker (${path} line 1) is a setting that k3s has and kagent has not: containerd is the one runtime`,
  );
  const environment = environmentSource(AgentConfig, { KAGENT_DOCKER: '1' });
  expect(() => loadConfig(AgentConfig, [environment])).toThrow('docker (KAGENT_DOCKER) is a setting that k3s has');
  expect(() => loadConfig(AgentConfig, [flagsOf(AgentConfig, ['--docker'])])).toThrow('docker (--docker) is a setting');
});

test('a wish that is fulfilled anyway is none of an error', () => {
  const wishes = 'docker: false\nselinux: false\ndisable-helm-controller: true\n';
  expect(() => fromFile(serverSchema, `${wishes}egress-selector-mode: cluster\ncluster-init: false\n`)).not.toThrow();
  expect(() => fromFile(serverSchema, 'egress-selector-mode: disabled\n')).toThrow('through the tunnel');
});

test('K3S_ variables are not read', () => {
  expect(environmentSource(AgentConfig, { K3S_TOKEN: 'x', K3S_URL: 'https://a:6443' }).size).toBe(0);
});

test('the config.yaml of k3s’s documentation works unchanged', () => {
  const { config } = fromFile(
    serverSchema,
    `write-kubeconfig-mode: "0644"
tls-san:
  - "foo.local"
node-label:
  - "foo=bar"
  - "something=amazing"
disable: [traefik, servicelb, metrics-server, local-storage]
kubelet-arg: "max-pods=42"
`,
  );
  expect(config).toMatchObject({
    writeKubeconfigMode: '0644',
    tlsSan: ['foo.local'],
    nodeLabel: ['foo=bar', 'something=amazing'],
    disable: ['traefik', 'servicelb', 'metrics-server', 'local-storage'],
    kubeletArg: ['max-pods=42'],
  });
  const { config: agent } = fromFile(
    AgentConfig,
    'server: "https://10.0.0.1:6443"\ntoken: "secret"\nnode-ip: 10.0.0.2\nflannel-iface: eth1\n',
  );
  expect(agent).toMatchObject({ server: 'https://10.0.0.1:6443', token: 'secret', nodeIp: '10.0.0.2' });
  expect(fromFile(serverSchema, 'write-kubeconfig-mode: 644\n').config).toMatchObject({ writeKubeconfigMode: '644' });
  expect(fromFile(serverSchema, 'cluster-init: true\n').config).toMatchObject({ clusterInit: true });
});

test.each([
  ['--write-kubeconfig-mode 644', { writeKubeconfigMode: '644' }],
  ['--disable traefik --disable=servicelb,metrics-server', { disable: ['traefik', 'servicelb', 'metrics-server'] }],
  ['--flannel-backend none --token 12345', { flannelBackend: 'none', token: '12345' }],
  ['--tls-san=a.example --tls-san b.example', { tlsSan: ['a.example', 'b.example'] }],
  ['--node-taint CriticalAddonsOnly=true:NoExecute', { nodeTaint: ['CriticalAddonsOnly=true:NoExecute'] }],
  ['--kube-apiserver-arg feature-gates=A=true,B=true', { kubeApiserverArg: ['feature-gates=A=true,B=true'] }],
  ['--kubelet-arg=eviction-hard=a<5%,b<5%', { kubeletArg: ['eviction-hard=a<5%,b<5%'] }],
  ['-d /srv/kagent -o /root/kubeconfig -t secret -i 10.0.0.1', { dataDir: '/srv/kagent', nodeIp: '10.0.0.1' }],
  ['--with-node-id --protect-kernel-defaults', { withNodeId: true, protectKernelDefaults: true }],
])('k3s server %s says what it says in k3s', (line, said) => {
  expect(loadConfig(serverSchema, [flagsOf(serverSchema, line.split(' '))]).config).toMatchObject(said);
});

test('a component that does not exist cannot be left out', () => {
  expect(() => fromFile(serverSchema, 'disable: [traffic]\n')).toThrow(
    'each must be one of coredns, helm-controller, local-storage, metrics-server, servicelb',
  );
});
