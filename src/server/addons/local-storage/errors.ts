import { KagentError } from '../../../shared/errors.ts';

/** A claim, its class or the configuration asks for what cannot be; another try does not help until somebody changes it. */
export class VolumeUnsupportedError extends KagentError {
  readonly code = 'VOLUME_UNSUPPORTED';
  readonly fault = 'operator';
  constructor(what: string, remedy: string) {
    super(what, { remedy });
  }
}

export class StorageConfigError extends KagentError {
  readonly code = 'VOLUME_CONFIG';
  readonly fault = 'operator';
  constructor(reason: string) {
    super(`config.json of the ConfigMap kube-system/local-path-config: ${reason}`, {
      remedy: "correct it with 'kagent kubectl -n kube-system edit configmap local-path-config'",
    });
  }
}

/** A volume that is going has the folder that a new one is to have. */
export class VolumeLeavingError extends KagentError {
  readonly code = 'VOLUME_LEAVING';
  readonly fault = 'peer';
  constructor(path: string, volume: string) {
    super(`${path} is still the folder of ${volume}, which is being removed`);
  }
}
