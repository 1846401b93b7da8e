/**
 * @module
 * The box kagent runs on: is it fit for a node, what must be set, what is it like.
 * Knows: kernel features, cgroups, sysctls, ports, disks, resolv.conf, addresses.
 * Leaves to others: fixing what only its owner may fix; each problem says how.
 */

export type { HostProblem, CgroupVersion, HostFacts } from './types.ts';
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
export { lastingPortProblems, listeningOwner, portOwner, type PortNeed } from './ports.ts';
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
