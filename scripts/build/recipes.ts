/**
 * What is built from `components/`, and how. Versions are not here: each folder's go.mod pins its own.
 */
export interface Program {
  /** The file's name. */
  readonly name: string;
  /** The Go package to build, as seen from the component's folder. */
  readonly package: string;
  readonly tags: readonly string[];
  /** `-X` of the linker: variable → value. */
  readonly stamps: (upstream: Upstream) => Readonly<Record<string, string>>;
  /** Other names of the same file; the program looks at the name it is called by. */
  readonly links: readonly string[];
}

/** The upstream module as go.mod pins it. */
export interface Upstream {
  /** `v1.37.1` */
  readonly version: string;
  /** When it was published, RFC 3339: a build date that does not change with the day of the build. */
  readonly time: string;
  /** Version of any module that go.mod names. */
  readonly versionOf: (module: string) => string;
}

export interface Recipe {
  /** Its folder in `components/`. */
  readonly name: string;
  readonly upstream: string;
  readonly licence: string; // SPDX
  readonly cgo: boolean;
  /** Where its programs go: `bin` and `cni` are folders of the bundle, `image` ends in one of its images. */
  readonly place: 'bin' | 'cni' | 'image';
  readonly programs: readonly Program[];
  /** On four cores with an empty Go cache; a machine's own times replace it. */
  readonly estimateMs: number;
}

const program = (name: string, rest: Partial<Program> & { readonly package: string }): Program => ({
  name,
  tags: [],
  stamps: () => ({}),
  links: [],
  ...rest,
});

/** Both packages answer "which version": one for servers, one for clients. */
function kubernetesStamps({ version, time }: Upstream): Record<string, string> {
  const [major = '', minor = ''] = version.slice(1).split('.');
  const values = {
    gitVersion: version,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: version, // the tag: a module of the Go proxy does not say its commit
    gitTreeState: 'clean',
    buildDate: time,
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  return Object.fromEntries(
    packages.flatMap((name) => Object.entries(values).map(([key, value]) => [`${name}.${key}`, value])),
  );
}

function containerdStamps({ version }: Upstream): Record<string, string> {
  const name = 'github.com/containerd/containerd/v2/version';
  return { [`${name}.Version`]: version, [`${name}.Revision`]: version };
}

const cniStamps = ({ version }: Upstream) => ({
  'github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion': version,
});

const etcdStamps = ({ version }: Upstream) => ({ 'go.etcd.io/etcd/api/v3/version.GitSHA': version });

// grpcnotrace leaves out grpc's trace pages, and with them templates and reflection that keep dead code alive.
export const recipes: readonly Recipe[] = [
  {
    name: 'kubernetes',
    upstream: 'k8s.io/kubernetes',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'bin',
    estimateMs: 330_000,
    programs: [
      program('hyperkube', {
        package: '.',
        tags: ['selinux', 'notest', 'grpcnotrace'], // upstream's own
        stamps: (upstream) => ({
          ...kubernetesStamps(upstream),
          'github.com/flannel-io/flannel/pkg/version.Version': upstream.versionOf('github.com/flannel-io/flannel'),
          'helm.sh/helm/v4/internal/version.version': upstream.versionOf('helm.sh/helm/v4'),
        }),
        links: [
          'flanneld',
          'helm',
          'helm-release',
          'kube-apiserver',
          'kube-control-plane',
          'kube-controller-manager',
          'kube-node',
          'kube-proxy',
          'kube-scheduler',
          'kubectl',
          'kubelet',
          'metrics-server',
          'network-policies',
        ],
      }),
    ],
  },
  {
    name: 'containerd',
    upstream: 'github.com/containerd/containerd/v2',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'bin',
    estimateMs: 70_000,
    programs: [
      program('containerd', {
        package: '.',
        tags: ['urfave_cli_no_docs', 'static_build', 'osusergo', 'netgo', 'grpcnotrace'],
        stamps: containerdStamps,
        links: ['ctr', 'image-import'],
      }),
      program('containerd-shim-runc-v2', {
        package: './shim',
        tags: ['urfave_cli_no_docs', 'static_build', 'osusergo', 'netgo', 'no_grpc'],
        stamps: containerdStamps,
      }),
    ],
  },
  {
    name: 'runc',
    upstream: 'github.com/opencontainers/runc',
    licence: 'Apache-2.0',
    cgo: true,
    place: 'bin',
    estimateMs: 16_000,
    programs: [
      program('runc', {
        package: 'github.com/opencontainers/runc',
        tags: ['seccomp', 'urfave_cli_no_docs', 'netgo', 'osusergo'],
      }),
    ],
  },
  {
    name: 'cni',
    upstream: 'github.com/containernetworking/plugins',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'cni',
    estimateMs: 12_000,
    programs: [
      program('cni-plugins', {
        package: '.',
        stamps: cniStamps,
        links: ['bandwidth', 'bridge', 'firewall', 'host-local', 'loopback', 'network-policies', 'portmap'],
      }),
    ],
  },
  {
    name: 'crictl',
    upstream: 'sigs.k8s.io/cri-tools',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'bin',
    estimateMs: 35_000,
    programs: [
      program('crictl', {
        package: 'sigs.k8s.io/cri-tools/cmd/crictl',
        tags: ['grpcnotrace'],
        stamps: ({ version }) => ({ 'sigs.k8s.io/cri-tools/pkg/version.Version': version }),
      }),
    ],
  },
  {
    name: 'kine',
    upstream: 'github.com/k3s-io/kine',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'bin',
    estimateMs: 60_000,
    programs: [
      program('kine', {
        package: '.',
        tags: ['grpcnotrace'],
        stamps: ({ version }) => ({ 'github.com/k3s-io/kine/pkg/version.Version': version }),
      }),
    ],
  },
  {
    name: 'coredns',
    upstream: 'github.com/coredns/coredns',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'image',
    estimateMs: 45_000,
    programs: [
      program('coredns', {
        package: '.',
        tags: ['grpcnotrace'],
        stamps: ({ version }) => ({ 'github.com/coredns/coredns/coremain.GitCommit': version }),
      }),
    ],
  },
  {
    name: 'traefik',
    upstream: 'github.com/traefik/traefik/v3',
    licence: 'MIT',
    cgo: false,
    place: 'image',
    estimateMs: 120_000,
    programs: [
      program('traefik', {
        package: '.',
        tags: ['grpcnotrace'],
        stamps: ({ version, time }) => ({
          'github.com/traefik/traefik/v3/pkg/version.Version': version.slice(1),
          'github.com/traefik/traefik/v3/pkg/version.BuildDate': time,
        }),
      }),
    ],
  },
  {
    name: 'etcd',
    upstream: 'go.etcd.io/etcd/server/v3',
    licence: 'Apache-2.0',
    cgo: false,
    place: 'bin',
    estimateMs: 40_000,
    programs: [
      program('etcd', { package: '.', tags: ['grpcnotrace'], stamps: etcdStamps, links: ['etcd-import', 'etcdctl'] }),
    ],
  },
];
