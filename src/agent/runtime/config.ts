/** What containerd's config.toml depends on. All paths are absolute. */
export interface ContainerdSettings {
  /** Images, snapshots, metadata: outlives a reboot. */
  readonly rootDir: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly runcPath: string;
  readonly cniBinDirs: readonly string[];
  readonly cniConfDir: string;
  /** `hosts.toml` files of registries. */
  readonly registryHostsDir: string;
  /** A person's own `*.toml`, which come after ours. */
  readonly dropInDir: string;
  readonly sandboxImage: string;
  /** Of pods without a runtime class; what is not runc is made known by a drop-in. */
  readonly defaultRuntime: string;
  /** Devices belong to the user a container runs as. */
  readonly nonrootDevices: boolean;
  readonly systemdCgroup: boolean;
  /** Where nobody may lower `oom_score_adj`, runc must not try to. */
  readonly restrictOomScoreAdj: boolean;
  readonly snapshotter: 'overlayfs' | 'native';
}

/** Plugins a node does not need: each costs start time or memory. */
const disabledPlugins = [
  'io.containerd.nri.v1.nri', // opens a socket of its own under /var/run/nri
  'io.containerd.internal.v1.opt', // `ctr install`
  'io.containerd.monitor.container.v1.restart', // restarting is the kubelet's work; wakes up every 10 s
  'io.containerd.server.v1.grpc-tcp',
  'io.containerd.server.v1.metrics',
  'io.containerd.server.v1.debug',
];

/** A JSON string is a TOML basic string, a list of them an array. */
const text = JSON.stringify;

/** @see containerd v2.4 docs/cri/config.md (configuration version 4) */
export function containerdConfig(settings: ContainerdSettings): string {
  return `# Written by kagent at each start; changes are lost. What belongs to you goes to conf.d/*.toml beside this file.
version = 4
root = ${text(settings.rootDir)}
state = ${text(settings.stateDir)}
imports = [${text(`${settings.dropInDir}/*.toml`)}]
disabled_plugins = [${disabledPlugins.map((name) => text(name)).join(', ')}]

[plugins.'io.containerd.server.v1.grpc']
  address = ${text(settings.socketPath)}

[plugins.'io.containerd.server.v1.ttrpc']
  address = ${text(`${settings.socketPath}.ttrpc`)}

[plugins.'io.containerd.shim.v1.manager']
  socket_dir = ${text(`${settings.stateDir}/s`)}

[plugins.'io.containerd.gc.v1.scheduler']
  # The first collection must not compete with the first pods.
  startup_delay = '30s'

${imagesConfig(settings)}

${runtimeConfig(settings)}
`;
}

function imagesConfig(settings: ContainerdSettings): string {
  return `[plugins.'io.containerd.cri.v1.images']
  snapshotter = ${text(settings.snapshotter)}
  # The kubelet asks for these once a minute at most.
  stats_collect_period = 60

  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = ${text(settings.sandboxImage)}

  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = ${text(settings.registryHostsDir)}

# What pulls unpack with: without it containerd takes overlayfs, whatever the CRI is told.
[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
  platform = 'linux'
  snapshotter = ${text(settings.snapshotter)}
  differ = 'walking'`;
}

function runtimeConfig(settings: ContainerdSettings): string {
  return `[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = ${settings.restrictOomScoreAdj}
  # Pods' network namespaces where nobody else has any, so that all in it may be taken away.
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  device_ownership_from_security_context = ${settings.nonrootDevices}

  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = ${text(settings.defaultRuntime)}

    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'

      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = ${text(settings.runcPath)}
        Root = ${text(`${settings.stateDir}/runc`)}
        SystemdCgroup = ${settings.systemdCgroup}

  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ${text(settings.cniBinDirs)}
    conf_dir = ${text(settings.cniConfDir)}
    use_internal_loopback = true`;
}
