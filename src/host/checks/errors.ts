import { KagentError } from '../../shared/errors.ts';
import { nodeNameRule } from '../../shared/node-name.ts';

export class NotRootError extends KagentError {
  readonly code = 'HOST_NOT_ROOT';
  readonly fault = 'operator';
  constructor(uid: number) {
    super(`kagent runs as user ${uid} but needs root to start containers`, { remedy: 'run it with sudo' });
  }
}

export class DataDirNotWritableError extends KagentError {
  readonly code = 'HOST_DATA_DIR_NOT_WRITABLE';
  readonly fault = 'operator';
  constructor(dir: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`the data dir ${dir} cannot be written: ${reason}`, {
      ...options,
      remedy: 'choose another with --data-dir or make it writable',
    });
  }
}

/** The components could be unpacked there, and never run. */
export class DataDirNoExecError extends KagentError {
  readonly code = 'HOST_DATA_DIR_NOEXEC';
  readonly fault = 'operator';
  constructor(dir: string, mountPoint: string) {
    super(`nothing can be run from the data dir ${dir}: ${mountPoint} is mounted noexec`, {
      remedy: `mount it without (mount -o remount,exec ${mountPoint}), or choose another with --data-dir`,
    });
  }
}

export class CapabilityMissingError extends KagentError {
  readonly code = 'HOST_CAPABILITY_MISSING';
  readonly fault = 'operator';
  constructor(names: readonly string[]) {
    super(`this box gives root no ${names.join(', ')}, without which no container can be made`, {
      remedy: 'run kagent on the host itself, or in a container that is privileged',
    });
  }
}

export class DiskFullError extends KagentError {
  readonly code = 'HOST_DISK_FULL';
  readonly fault = 'operator';
  constructor(dir: string, freeMiB: number, neededMiB: number) {
    super(`the disk of ${dir} has ${freeMiB} MiB free but kagent needs ${neededMiB} MiB`, {
      remedy: 'free some space or choose another disk with --data-dir',
    });
  }
}

export class PortTakenError extends KagentError {
  readonly code = 'HOST_PORT_TAKEN';
  readonly fault = 'operator';
  readonly port: number;
  /** `name (pid N)`, if it can be seen. */
  readonly owner: string | undefined;
  constructor(port: number, purpose: string, owner: string | undefined) {
    super(`port ${port} (${purpose}) is taken by ${owner ?? 'a process that cannot be seen from here'}`, {
      remedy: 'stop it or give kagent another port',
    });
    this.port = port;
    this.owner = owner;
  }
}

export class ClockBehindError extends KagentError {
  readonly code = 'HOST_CLOCK_BEHIND';
  readonly fault = 'operator';
  constructor(now: string, builtAt: string) {
    super(`the clock says ${now}, before this kagent was built (${builtAt}), so no certificate would be valid`, {
      remedy: 'set the clock: date -s, or start an NTP client',
    });
  }
}

export class KernelFeatureMissingError extends KagentError {
  readonly code = 'HOST_KERNEL_FEATURE_MISSING';
  readonly fault = 'operator';
  constructor(feature: string, module: string, release: string) {
    super(`the kernel ${release} has no ${feature}`, {
      remedy: `load it with "modprobe ${module}", install the modules of this kernel, or boot another one`,
    });
  }
}

export class MemoryCgroupMissingError extends KagentError {
  readonly code = 'HOST_MEMORY_CGROUP_MISSING';
  readonly fault = 'operator';
  constructor() {
    super('the memory cgroup is not enabled', {
      remedy:
        'add "cgroup_enable=memory cgroup_memory=1" to the kernel command line (on a Raspberry Pi: /boot/firmware/cmdline.txt) and reboot',
    });
  }
}

export class NodeNameInvalidError extends KagentError {
  readonly code = 'HOST_NODE_NAME_INVALID';
  readonly fault = 'operator';
  constructor(name: string) {
    super(`the node name "${name}" is not one Kubernetes takes (${nodeNameRule}; it has ${name.length})`, {
      remedy: 'set --node-name',
    });
  }
}

export class NodeAddressUnknownError extends KagentError {
  readonly code = 'HOST_NODE_ADDRESS_UNKNOWN';
  readonly fault = 'operator';
  constructor(reason: string) {
    super(`the node's address is not known: ${reason}`, { remedy: 'set --node-ip' });
  }
}
