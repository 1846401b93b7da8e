import { KagentError } from '../shared/errors.ts';
import { hostsOf, toType } from './hosts.ts';
import type { LabRecord } from './hosts.ts';

export class LabNotRootError extends KagentError {
  readonly code = 'LAB_NOT_ROOT';
  readonly fault = 'operator';
  constructor(uid: number) {
    super(`a lab is made of namespaces and mounts, which user ${uid} may not make`, { remedy: 'run it with sudo' });
  }
}

export class LabToolMissingError extends KagentError {
  readonly code = 'LAB_TOOL_MISSING';
  readonly fault = 'operator';
  constructor(tools: readonly string[], install: string) {
    super(`a lab needs ${tools.join(', ')}, not found in PATH`, { remedy: `install what is missing: ${install}` });
  }
}

export class LabExistsError extends KagentError {
  readonly code = 'LAB_EXISTS';
  readonly fault = 'operator';
  constructor(name: string) {
    super(`there is a lab ${name} already, or what is left of one`, {
      remedy: `take it away with '${toType(name, 'down')}', or choose another --name`,
    });
  }
}

export class LabNotFoundError extends KagentError {
  readonly code = 'LAB_NOT_FOUND';
  readonly fault = 'operator';
  constructor(name: string) {
    super(`there is no lab ${name}`, { remedy: `'kagent lab ls' lists them, '${toType(name, 'up')}' makes it` });
  }
}

export class LabHostNotFoundError extends KagentError {
  readonly code = 'LAB_HOST_NOT_FOUND';
  readonly fault = 'operator';
  constructor(lab: LabRecord, host: string) {
    const names = hostsOf(lab).map(({ name }) => name);
    super(`the lab ${lab.name} has no host ${host}; it has ${names.join(', ')}`);
  }
}

/** It is off or frozen, and what was asked for needs it to run. */
export class LabHostStateError extends KagentError {
  readonly code = 'LAB_HOST_STATE';
  readonly fault = 'operator';
  constructor(lab: LabRecord, host: string, state: 'off' | 'frozen') {
    super(`${host} is ${state}`, { remedy: `first: ${toType(lab.name, state === 'off' ? 'on' : 'thaw')} ${host}` });
  }
}

export class LabDataDirError extends KagentError {
  readonly code = 'LAB_DATA_DIR';
  readonly fault = 'operator';
  constructor(dir: string, why: string) {
    super(`the hosts' disks cannot be in ${dir}: ${why}`, {
      remedy: 'choose a folder on ext4, xfs or btrfs with --data-dir',
    });
  }
}

/** A step of the script, or kagent in a host, has failed. */
export class LabFailedError extends KagentError {
  readonly code = 'LAB_FAILED';
  readonly fault = 'operator';
  constructor(what: string, reason: string) {
    super(`${what}: ${reason}`);
  }
}
