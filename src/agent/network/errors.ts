import { KagentError } from '../../shared/errors.ts';

export class SubnetFileError extends KagentError {
  readonly code = 'NETWORK_SUBNET_FILE';
  readonly fault = 'internal';
  constructor(reason: string) {
    super(`flanneld's subnet file cannot be used: ${reason}`);
  }
}

export class PodProbesOffError extends KagentError {
  readonly code = 'NETWORK_NOT_PROBED';
  readonly fault = 'peer';
  constructor(backend: string) {
    super(`nodes are not probed with the network ${backend}`);
  }
}
