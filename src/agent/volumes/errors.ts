import { KagentError } from '../../shared/errors.ts';

export class VolumePathError extends KagentError {
  readonly code = 'VOLUME_PATH';
  readonly fault = 'operator';
  constructor(path: string, reason: string) {
    super(`${path} cannot be a volume: ${reason}`, {
      remedy: 'see the paths in the ConfigMap kube-system/local-path-config and the pathPattern of the StorageClass',
    });
  }
}

/** It may be tried again later. */
export class VolumeBusyError extends KagentError {
  readonly code = 'VOLUME_BUSY';
  readonly fault = 'peer';
  constructor(path: string, reason: string) {
    super(`${path} is not removed yet: ${reason}`);
  }
}

/** The disk, or who has made the folder, does not let it be. */
export class VolumeFailedError extends KagentError {
  readonly code = 'VOLUME_FAILED';
  readonly fault = 'operator';
  constructor(path: string, reason: string) {
    super(`the volume ${path} cannot be made or removed: ${reason}`, {
      remedy: 'see whether that disk is full or read-only, or something else is in the place of the folder',
    });
  }
}
