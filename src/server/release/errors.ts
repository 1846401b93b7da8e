import { KagentError } from '../../shared/errors.ts';

/** Nodes are not to be newer than their server, and one version is what was tried together. */
export class ExecutableOfOtherVersionError extends KagentError {
  readonly code = 'RELEASE_OTHER_VERSION';
  readonly fault = 'operator';
  constructor(path: string, found: string, own: string) {
    super(`${path} is kagent ${found} and this server ${own}: put the executable of ${own} there`);
  }
}

export class HostHeaderError extends KagentError {
  readonly code = 'RELEASE_HOST_HEADER';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor() {
    super('the request names no host, or one that is none: the installer would not know where it is from');
  }
}
