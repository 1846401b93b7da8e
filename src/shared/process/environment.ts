/**
 * What Go's garbage collector is told per child: a low `gogc` trades CPU for memory, `memoryMiB` is the soft limit near
 * which it works harder. Measured by bench/idle; the one place to tune them.
 */
const collectors: Readonly<Record<string, { readonly gogc: number; readonly memoryMiB?: number }>> = {
  'kube-apiserver': { gogc: 50 },
  'kube-controller-manager': { gogc: 50 },
  'kube-scheduler': { gogc: 50 },
  containerd: { gogc: 50 },
  kubelet: { gogc: 50 },
  'kube-proxy': { gogc: 50 },
  flanneld: { gogc: 50 },
};

/** What a person may have set for kagent that its children need as well: proxies, time zone, certificates. */
const inherited = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'TZ',
];

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentOptions {
  /** The folder of our own binaries: found before the system's of the same name. */
  readonly path: string;
  readonly extra?: Readonly<Record<string, string>>;
  readonly from?: Readonly<Record<string, string | undefined>>;
}

/** The complete environment of a child; `extra` has the last word. */
export function childEnvironment(name: string, options: EnvironmentOptions): Readonly<Record<string, string>> {
  const { path, extra = {}, from = process.env } = options;
  const collector = collectors[name];
  return {
    PATH: `${path}:${systemPath}`,
    HOME: '/root',
    ...Object.fromEntries(inherited.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]]))),
    ...(collector === undefined ? {} : { GOGC: String(collector.gogc) }),
    ...(collector?.memoryMiB === undefined ? {} : { GOMEMLIMIT: `${collector.memoryMiB}MiB` }),
    ...extra,
  };
}
