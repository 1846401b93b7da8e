import { KagentError } from '../../shared/errors.ts';

export class SubnetFileError extends KagentError {
  readonly code = 'NETWORK_SUBNET_FILE';
  readonly fault = 'internal';
  constructor(reason: string) {
    super(`flanneld's subnet file cannot be used: ${reason}`);
  }
}
