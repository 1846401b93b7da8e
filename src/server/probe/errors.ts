import { KagentError } from '../../shared/errors.ts';

export class ProbeBusyError extends KagentError {
  readonly code = 'PROBE_BUSY';
  readonly fault = 'peer';
  override readonly httpStatus = 429;
  constructor() {
    super('the server is testing the way to other boxes, or to this one, already', {
      remedy: 'try again in five seconds',
    });
  }
}

export class ProbeUnknownError extends KagentError {
  readonly code = 'PROBE_UNKNOWN';
  readonly fault = 'peer';
  override readonly httpStatus = 404;
  constructor() {
    super('the server knows of no such test from this address: it is over');
  }
}
