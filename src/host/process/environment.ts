import { join } from 'node:path';
import { everyNumber, proxyVariables } from '../../shared/proxy/proxy.ts';

interface Collector {
  /** Percentages, as GOGC. */
  readonly starting: number;
  readonly settled: number;
}

/**
 * What Go's garbage collector is told per child: while it starts, and from fifteen seconds on (components/kubernetes/settle.go).
 * kube-apiserver starts 0.35 s sooner with 300, and then keeps 50 MiB more for good: what lives on is scattered. There is no
 * fixed limit: it would cost dearly in a cluster that outgrows it. Measured by bench/start and bench/idle; the one place to
 * tune them.
 */
const collectors: Readonly<Record<string, Collector>> = {
  'kube-apiserver': { starting: 50, settled: 25 },
  'kube-controller-manager': { starting: 200, settled: 50 },
  'kube-scheduler': { starting: 200, settled: 50 },
  kubelet: { starting: 200, settled: 50 },
  'kube-proxy': { starting: 100, settled: 50 },
  flanneld: { starting: 100, settled: 50 },
  'network-policies': { starting: 100, settled: 50 },
  'kube-control-plane': { starting: 50, settled: 25 },
  'kube-node': { starting: 200, settled: 50 },
  containerd: { starting: 50, settled: 50 },
};

/** What a person may have set for kagent that its children need as well: time zone, certificates. Proxies are completed. */
const inherited = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'TZ'];

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a box may lack, beside our own binaries: found after the system's of the same name. */
function toolsBeside(binDir: string): string {
  return join(binDir, '../aux');
}

/** For what kagent itself runs on the box: `ip`, `iptables-save`. */
export function addTools(binDir: string, env: NodeJS.ProcessEnv = process.env): void {
  env['PATH'] = [env['PATH'] ?? systemPath, toolsBeside(binDir)].join(':');
}

export interface EnvironmentOptions {
  /** The folder of our own binaries: found before the system's of the same name. */
  readonly path: string;
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  readonly extra?: Readonly<Record<string, string>>;
  readonly from?: Readonly<Record<string, string | undefined>>;
}

/** The complete environment of a child; `extra` has the last word. */
export function childEnvironment(name: string, options: EnvironmentOptions): Readonly<Record<string, string>> {
  const { path, direct, extra = {}, from = process.env } = options;
  const collector = collectors[name];
  return {
    PATH: `${path}:${systemPath}:${toolsBeside(path)}`,
    HOME: '/root',
    ...Object.fromEntries(inherited.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]]))),
    ...proxyVariables(from, pullsImages(name) ? direct : [...direct, ...everyNumber]),
    ...(collector === undefined ? {} : collectorVariables(name, collector)),
    ...extra,
  };
}

/** It asks outside by number, too: a registry may have no name. The others know nodes by theirs, those that join later too. */
function pullsImages(name: string): boolean {
  return name === 'containerd';
}

function collectorVariables(name: string, { starting, settled }: Collector): Readonly<Record<string, string>> {
  return {
    GOGC: String(starting),
    KAGENT_SETTLED_GOGC: String(settled),
    // Go wakes its threads to look for work: with few of them a program at rest does less of that.
    ...(name === 'kube-apiserver' || name === 'kube-control-plane' ? {} : { GOMAXPROCS: '2' }),
  };
}
