/**
 * @module
 * The box kagent runs on: is it fit for a node, what must be set, what is it like.
 * Knows: kernel features, cgroups, sysctls, ports, disks, resolv.conf, addresses.
 * Leaves to others: fixing what only its owner may fix; each problem says how.
 */
import type { KagentError } from '../../shared/errors.ts';

/** One reason why a node cannot start here. Its message has the wrong value and the next step. */
export type HostProblem = KagentError;

export type CgroupVersion = 'v1' | 'v2' | 'hybrid';

/** What a prepared host is like; everything the agent's other rooms ask about it. */
export interface HostFacts {
  /** Without it (bit 24 of the capability bounding set) nobody may lower `oom_score_adj`. */
  readonly hasSysResource: boolean;
  /** `hybrid`: v1 controllers with an empty v2 hierarchy beside them; the kubelet calls it v1. */
  readonly cgroupVersion: CgroupVersion;
  readonly cgroupDriver: 'systemd' | 'cgroupfs';
  readonly systemdIsInit: boolean;
  /** logind waits for the kubelet before the host goes down. */
  readonly logindWaits: boolean;
  /** The resolv.conf for pods: `--resolv-conf`, or what is made of the host's and kept up to date (agent/resolv-conf.ts). */
  readonly resolvConfPath: string;
  readonly defaultInterface: string;
  readonly nodeIp: string;
  /** By which other nodes reach flannel, if not by the node's address. */
  readonly flannelIp?: string;
  readonly nodeName: string;
  readonly conntrackWritable: boolean;
  readonly iptablesFlavour: 'nft' | 'legacy';
}

export { checkHost, hostChecks, kernelProblems, mountUnder, type HostCheck, type HostNeeds } from './check.ts';
export { capSysResource, hasCapability } from './capability.ts';
export { cgroupVersion } from './cgroup.ts';
export { featuresFor, featureState, kernelFiles, loadModule, type FlannelBackend, type KernelFiles } from './kernel.ts';
export { fallbackServer, findResolvConf, serversOf, whyNone, type ResolvConf } from './resolv-conf.ts';
export { hostAddresses, networkOf, nodeAddress, nodeName, type NodeAddress, type WantedAddress } from './address.ts';
export { deviceKind, ownDevice } from './devices.ts';
export { defaultRoute, isDefault, isRouted, routesOf, type Route } from './routes.ts';
export { hostRoot, numberIn, type HostRoot } from './root.ts';
export { prepareHost, type PrepareOptions } from './prepare.ts';
export { currentBoot, dotted, isWrong, nodeSysctls, restoreSysctl, routeLocalnet, type Sysctl } from './sysctl.ts';
export { isGoingDown, removeScopeDropIn, shutdownGrace } from './shutdown.ts';
export { portOwner, portProblems, type PortNeed } from './ports.ts';
export {
  CapabilityMissingError,
  ClockBehindError,
  DataDirNoExecError,
  DataDirNotWritableError,
  DiskFullError,
  KernelFeatureMissingError,
  MemoryCgroupMissingError,
  NodeAddressUnknownError,
  NodeNameInvalidError,
  NotRootError,
  PortTakenError,
} from './errors.ts';
