import { KagentError } from '../errors.ts';

export class DeviceTargetError extends KagentError {
  readonly code = 'FILE_IS_DEVICE';
  readonly fault = 'operator';

  constructor(path: string) {
    super(`${path} is a device, and a file would take its place`, { remedy: 'name a file elsewhere' });
  }
}
