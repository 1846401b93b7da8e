import { KagentError } from '../../shared/errors.ts';

export class TokenWrongError extends KagentError {
  readonly code = 'TOKEN_WRONG';
  readonly fault = 'peer';
  constructor() {
    super('the server does not know this token; copy it anew from server/node-token on the server');
  }
}

export class TooManyAttemptsError extends KagentError {
  readonly code = 'TOO_MANY_ATTEMPTS';
  readonly fault = 'peer';
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super(`too many wrong tokens from this address; try again in ${retryAfterSeconds} s`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class NodeNameInvalidError extends KagentError {
  readonly code = 'NODE_NAME_INVALID';
  readonly fault = 'peer';
  constructor(nodeName: string) {
    super(
      `${JSON.stringify(nodeName)} cannot name a node: lower-case letters, digits, dots and dashes; choose another with --node-name`,
    );
  }
}

export class NodeNameTakenError extends KagentError {
  readonly code = 'NODE_NAME_TAKEN';
  readonly fault = 'peer';
  constructor(nodeName: string) {
    super(
      `another machine has joined as ${nodeName}; choose another name with --node-name, or remove the old node on the server with 'kagent node rm ${nodeName}'`,
    );
  }
}

export class NodeAddressInvalidError extends KagentError {
  readonly code = 'NODE_ADDRESS_INVALID';
  readonly fault = 'peer';
  constructor(address: string) {
    super(`${JSON.stringify(address)} is not an address a node can have; set the right one with --node-ip`);
  }
}
