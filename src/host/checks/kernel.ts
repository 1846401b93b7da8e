import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { run } from '../run.ts';
import type { HostRoot } from './root.ts';

/** Something the kernel must be able to do, and the several places that can say that it can. */
export interface KernelFeature {
  readonly name: string;
  readonly module: string;
  /** The option of /proc/config.gz; `y` is enough, `m` is enough once it is loaded. */
  readonly option: string;
  /** Its name in /proc/filesystems. */
  readonly filesystem?: string;
  /** A file that is there while the feature is. */
  readonly sign?: string;
}

const always: readonly KernelFeature[] = [
  { name: 'overlay filesystem', module: 'overlay', option: 'CONFIG_OVERLAY_FS', filesystem: 'overlay' },
  { name: 'bridge', module: 'bridge', option: 'CONFIG_BRIDGE' },
  {
    name: 'bridge netfilter',
    module: 'br_netfilter',
    option: 'CONFIG_BRIDGE_NETFILTER',
    sign: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  },
  { name: 'veth network pairs', module: 'veth', option: 'CONFIG_VETH' },
  {
    name: 'connection tracking',
    module: 'nf_conntrack',
    option: 'CONFIG_NF_CONNTRACK',
    sign: '/proc/sys/net/netfilter/nf_conntrack_max',
  },
  { name: 'network address translation', module: 'nf_nat', option: 'CONFIG_NF_NAT' },
];

const vxlan: KernelFeature = { name: 'VXLAN', module: 'vxlan', option: 'CONFIG_VXLAN' };
const wireguard: KernelFeature = { name: 'WireGuard', module: 'wireguard', option: 'CONFIG_WIREGUARD' };

export type FlannelBackend = 'vxlan' | 'host-gw' | 'wireguard-native' | 'none';

export function featuresFor(backend: FlannelBackend): readonly KernelFeature[] {
  if (backend === 'vxlan') return [...always, vxlan];
  if (backend === 'wireguard-native') return [...always, wireguard];
  return always;
}

export type FeatureState = 'present' | 'loadable' | 'missing' | 'unknown';

/**
 * present: it works now. loadable: a module that is on the disk. missing: the kernel's own configuration says no.
 * unknown: nothing says so or otherwise; trying it is the only way.
 */
export function featureState(feature: KernelFeature, root: HostRoot, kernel: KernelFiles): FeatureState {
  if (feature.filesystem !== undefined && kernel.filesystems.has(feature.filesystem)) return 'present';
  if (feature.sign !== undefined && existsSync(root.path(feature.sign))) return 'present';
  if (existsSync(root.path(`/sys/module/${feature.module}`))) return 'present';
  if (kernel.builtin.has(feature.module)) return 'present';
  if (kernel.loadable.has(feature.module)) return 'loadable';
  const setting = kernel.config()?.get(feature.option);
  if (setting === 'y') return 'present';
  return kernel.config() === undefined ? 'unknown' : 'missing'; // `m` without the module's file is missing too
}

export interface KernelFiles {
  readonly release: string;
  readonly filesystems: ReadonlySet<string>;
  readonly builtin: ReadonlySet<string>;
  readonly loadable: ReadonlySet<string>;
  /** Read at the first question only: unpacking it takes some milliseconds. */
  config(): ReadonlyMap<string, string> | undefined;
}

export function kernelFiles(root: HostRoot): KernelFiles {
  const release = root.read('/proc/sys/kernel/osrelease')?.trim() ?? 'of unknown version';
  const folder = `/lib/modules/${release}`;
  let config: ReadonlyMap<string, string> | undefined;
  let asked = false;
  return {
    release,
    filesystems: parseFilesystems(root.read('/proc/filesystems') ?? ''),
    builtin: parseModuleList(root.read(`${folder}/modules.builtin`) ?? ''),
    loadable: parseModuleList(root.read(`${folder}/modules.dep`) ?? ''),
    config() {
      if (!asked) config = readConfig(root, release);
      asked = true;
      return config;
    },
  };
}

export function parseFilesystems(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').map((line) => line.split('\t').at(-1) ?? ''));
}

/** Names out of `kernel/net/bridge/br_netfilter.ko.xz: kernel/…`; the kernel takes `-` and `_` for the same. */
export function parseModuleList(text: string): ReadonlySet<string> {
  const names = text.matchAll(/^(?:[^:\n]*\/)?([^/\s:]+)\.ko(?:\.\w+)?(?::.*)?$/gm);
  return new Set([...names].map(([, name = '']) => name.replaceAll('-', '_')));
}

export function parseKernelConfig(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
}

function readConfig(root: HostRoot, release: string): ReadonlyMap<string, string> | undefined {
  try {
    return parseKernelConfig(gunzipSync(readFileSync(root.path('/proc/config.gz'))).toString('utf8'));
  } catch {
    const text = root.read(`/boot/config-${release}`);
    return text === undefined ? undefined : parseKernelConfig(text);
  }
}

/** @returns false when it cannot be loaded, which matters only if the feature does not work either */
export async function loadModule(module: string): Promise<boolean> {
  try {
    await run('modprobe', [module], { timeoutMs: 5000 });
    return true;
  } catch {
    return false;
  }
}
