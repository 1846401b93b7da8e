/**
 * @module
 * Children: started, made ready, kept alive, ended with nothing left of them.
 * Knows: spawn, parent-death signal, cgroup, back-off, stopping, the child's lines, left-over children of an earlier life.
 * Leaves to others: what to run and when it is ready (the rooms), the order among children (component/).
 */

export type {
  ProcessSpec,
  SecurityContext,
  Supervisor,
  SupervisedProcess,
  SupervisorOptions,
  ProcessState,
  ProcessStatus,
  PartOf,
  SharedProcessSpec,
} from './types.ts';
export { createSupervisor } from './supervisor.ts';
export { processComponent } from './process-component.ts';
export { childLogs, type ChildLog } from './child-log.ts';
export { runAs } from './run-as.ts';
export { whyNotAsUser } from './privileges.ts';
export { bootId, childRegistry, endLeftOvers, processRun } from './children.ts';
export { childCgroups, removeCgroupTree, removeCgroups } from './cgroup.ts';
export { addTools, childEnvironment } from './environment.ts';
export { isAlive, processStat, type ProcessStat } from './stat.ts';
export { controlPlaneProcess, nodeProcess } from './shared-processes.ts';
export { cpuAndMemory, type Usage } from './usage.ts';
export { NeverReadyError } from './errors.ts';
