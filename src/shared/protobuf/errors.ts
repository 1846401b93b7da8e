import { KagentError } from '../errors.ts';

export class MalformedMessageError extends KagentError {
  readonly code = 'STORE_MALFORMED_MESSAGE';
  readonly fault = 'peer';
  constructor(what: string) {
    super(what);
  }
}
