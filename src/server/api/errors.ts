import { KagentError } from '../../shared/errors.ts';

export class PortTakenError extends KagentError {
  readonly code = 'API_PORT_TAKEN';
  readonly fault = 'operator';
  constructor(address: string, port: number, cause: unknown) {
    super(`port ${port} on ${address} is taken by another program ('ss -ltnp' shows which)`, {
      remedy: 'end it or choose --supervisor-port',
      cause,
    });
  }
}

/** The message is of another version, or not of a kagent. */
export class BodyInvalidError extends KagentError {
  readonly code = 'API_BODY_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(reason: string) {
    super(`the request's body is not understood: ${reason}`);
  }
}

export class BodyTooLargeError extends KagentError {
  readonly code = 'API_BODY_TOO_LARGE';
  readonly fault = 'peer';
  override readonly httpStatus = 413;
  constructor(maxBytes: number) {
    super(`the request's body is over ${maxBytes} bytes`);
  }
}

export class NoTokenError extends KagentError {
  readonly code = 'API_NO_TOKEN';
  readonly fault = 'peer';
  override readonly httpStatus = 401;
  constructor() {
    super("the request has no token in 'Authorization: Bearer'");
  }
}

export class NoCertificateError extends KagentError {
  readonly code = 'API_NO_CERTIFICATE';
  readonly fault = 'peer';
  override readonly httpStatus = 401;
  constructor() {
    super('only a node of this cluster may ask for this, and who asks shows no certificate of one');
  }
}

/** Nobody waits for the answer. */
export class RequestAbortedError extends KagentError {
  readonly code = 'API_REQUEST_ABORTED';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor() {
    super('whoever asked has gone before there was an answer');
  }
}

/** A node is drained once at a time. */
export class DrainBusyError extends KagentError {
  readonly code = 'API_DRAIN_BUSY';
  readonly fault = 'peer';
  override readonly httpStatus = 429;
  constructor(nodeName: string) {
    super(`${nodeName} is being drained already, or has asked for it very often`, {
      remedy: 'wait a minute, then try again',
    });
  }
}
