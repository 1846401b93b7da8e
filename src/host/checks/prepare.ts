import { existsSync, readlinkSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { UndoLog } from '../undo-log/undo-log.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import { hostAt } from '../service/service.ts';
import { nodeAddress, nodeName } from './address.ts';
import type { WantedAddress } from './address.ts';
import { capSysResource, hasCapability } from './capability.ts';
import { cgroupDriver, cgroupVersion } from './cgroup.ts';
import type { HostFacts } from './types.ts';
import { featuresFor, featureState, kernelFiles, loadModule } from './kernel.ts';
import type { FlannelBackend } from './kernel.ts';
import { hostRoot } from './root.ts';
import type { HostRoot } from './root.ts';
import { prepareShutdown } from './shutdown.ts';
import { applySysctls, nodeSysctls } from './sysctl.ts';
import { isWritable } from '../../shared/files/files.ts';

export interface PrepareOptions extends WantedAddress {
  readonly paths: Paths;
  readonly undoLog: UndoLog;
  readonly log: Log;
  readonly flannelBackend: FlannelBackend;
  readonly nodeName?: string | undefined;
  /** `--resolv-conf`: used as it is. */
  readonly resolvConf?: string | undefined;
  /** This process's service, if it is one. */
  readonly serviceName?: string | undefined;
  readonly root?: HostRoot;
}

/**
 * Loads kernel modules, makes the settings a node needs, and looks at what the host is like. Safe to repeat.
 * @throws {NodeNameInvalidError} @throws {NodeAddressUnknownError}
 */
export async function prepareHost(options: PrepareOptions): Promise<HostFacts> {
  const { paths, undoLog, log, root = hostRoot() } = options;
  const name = nodeName(options.nodeName);
  const address = await nodeAddress(options, root);
  await loadModules(options.flannelBackend, root, log);
  applySysctls({ sysctls: nodeSysctls, undoLog, log, root });
  const systemdIsInit = existsSync(root.path('/run/systemd/system')); // as sd_booted(3) asks
  const driver = cgroupDriver(root, systemdIsInit);
  const logindWaits = await prepareShutdown({
    host: hostAt(root.dir),
    undoLog,
    log,
    cgroupDriver: driver,
    serviceName: options.serviceName,
  });
  return {
    hasSysResource: hasCapability(root.read('/proc/self/status') ?? '', capSysResource),
    cgroupVersion: cgroupVersion(root),
    cgroupDriver: driver,
    systemdIsInit,
    logindWaits,
    resolvConfPath: options.resolvConf ?? join(paths.agent.etc, 'resolv.conf'),
    ...address,
    nodeName: name,
    conntrackWritable: isWritable(root.path('/proc/sys/net/netfilter/nf_conntrack_max')),
    iptablesFlavour: iptablesFlavour(),
  };
}

async function loadModules(backend: FlannelBackend, root: HostRoot, log: Log): Promise<void> {
  const files = kernelFiles(root);
  const loadable = featuresFor(backend).filter((feature) => featureState(feature, root, files) === 'loadable');
  await Promise.all(
    loadable.map(async ({ module }) => {
      if (await loadModule(module)) log.info('kernel module loaded', { module });
      else log.warn('kernel module not loaded', { module });
    }),
  );
}

/** `iptables` is a chain of links whose names tell; what tells nothing is the newer one. */
function iptablesFlavour(): HostFacts['iptablesFlavour'] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  let path = folders.map((folder) => join(folder, 'iptables')).find((candidate) => existsSync(candidate));
  while (path !== undefined) {
    if (path.includes('legacy')) return 'legacy';
    path = linkTarget(path);
  }
  return 'nft';
}

function linkTarget(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined; // not a link
  }
}
