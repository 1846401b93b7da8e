import { both, endingFlags, isFalse } from '../../shared/arguments/arguments.ts';
import type { FlagRule, FlagRules } from '../../shared/arguments/arguments.ts';
import { runPaths } from '../../shared/paths.ts';

type Refused = Extract<FlagRule, { readonly becomes: 'refused' }>;
const refused = (instead: string, when?: Refused['when']): Refused => ({
  becomes: 'refused',
  instead,
  ...(when !== undefined && { when }),
});

const isTrue = (value: string) => !isFalse(value);
const nodeName = refused('its certificates have the name of the node; use node-name');
const ownKubeconfig = refused('a node has its kubeconfigs from the server that it joins; leave it out');
const ownCertificates = refused('a node has its certificates and the client CA from the cluster; leave it out');
const otherRuntime = refused(
  'containerd is the one runtime that kagent has, and comes with it; leave it out',
  (value) => value !== `unix://${runPaths.containerdSocket}`,
);

export const kubeletRules: FlagRules = {
  ...endingFlags,
  config: { becomes: 'written', how: "a copy of the file, read after kagent's own and before kubelet.conf.d" },
  'config-dir': { becomes: 'written', how: 'copies of its files, read after those of kubelet.conf.d' },
  'hostname-override': nodeName,
  'node-ip': refused('certificates and the tunnel know the node by its address; use node-ip'),
  kubeconfig: ownKubeconfig,
  'bootstrap-kubeconfig': ownKubeconfig,
  'client-ca-file': ownCertificates,
  'tls-cert-file': ownCertificates,
  'tls-private-key-file': ownCertificates,
  'container-runtime-endpoint': otherRuntime,
  'image-service-endpoint': otherRuntime,
  'cgroup-driver': refused(
    "the kubelet ignores it and uses containerd's, which is that of this host's service manager; leave it out",
  ),
  'healthz-port': refused('kagent asks there whether it is healthy; give it a free port', (value) => value === '0'),
  'register-node': refused(
    'kagent waits for its node to be Ready; a server without a node has disable-agent',
    (value) => !isTrue(value),
  ),
  runonce: refused('the kubelet would exit once the static pods run', isTrue),
  'node-labels': { becomes: 'merged', how: 'added to node-label', merge: (ours, theirs) => [ours, ...theirs] },
  'register-with-taints': {
    becomes: 'merged',
    how: 'added to node-taint',
    merge: (ours, theirs) => [[ours, ...theirs.slice(-1)].filter((list) => list !== '').join(',')],
  },
  'feature-gates': both,
};

const ends = (what: string) => refused(`kube-proxy would ${what} and exit`, isTrue);
const noHealth = refused(
  'kagent asks there whether it is healthy; give it an address with a free port',
  (value) => value === '' || /(^|:)0$/.test(value),
);

/** Of a library of the kubelet's, which is in the same executable. */
const cadvisorFlags =
  `allow-dynamic-housekeeping application-metrics-count-limit boot-id-file container-hints containerd
  containerd-env-metadata-whitelist containerd-namespace crio-client-timeout disable-root-cgroup-stats docker-only
  enable-load-reader event-storage-age-limit event-storage-event-limit global-housekeeping-interval housekeeping-interval
  initial-splay-factor jitter-factor log-cadvisor-usage machine-id-file max-housekeeping-interval referenced-reset-interval
  storage-driver-buffer-duration storage-driver-db storage-driver-host storage-driver-password storage-driver-secure
  storage-driver-table storage-driver-user update-machine-info-interval`.split(/\s+/);

export const kubeProxyRules: FlagRules = {
  ...endingFlags,
  ...Object.fromEntries(cadvisorFlags.map((name) => [name, refused('it does nothing in kube-proxy; leave it out')])),
  config: refused(
    "kube-proxy ignores nearly every flag beside a file, kagent's too; set what is in the file by flags: 'proxy-mode=…', 'nodeport-addresses=…'",
  ),
  'write-config-to': ends('write the file'),
  cleanup: ends('remove its rules'),
  'init-only': ends('prepare the host'),
  'hostname-override': nodeName,
  kubeconfig: ownKubeconfig,
  master: ownKubeconfig,
  'healthz-bind-address': noHealth,
  'healthz-port': noHealth,
  'feature-gates': both,
};
