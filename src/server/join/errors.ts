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

export class UserNameInvalidError extends KagentError {
  readonly code = 'USER_NAME_INVALID';
  readonly fault = 'peer';
  constructor(name: string) {
    super(`${JSON.stringify(name)} is a name for Kubernetes' own parts; choose a name without 'system:' for a person`);
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
      `another machine has joined as ${nodeName}; choose another name with --node-name, remove the old node on the server with 'kagent node rm ${nodeName}', or give --replace here if that machine is gone`,
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

/** Packets for the pods of both would go to one of them. */
export class NodeAddressTakenError extends KagentError {
  readonly code = 'NODE_ADDRESS_TAKEN';
  readonly fault = 'peer';
  constructor(address: string, other: string, seenAs: string) {
    const seen = seenAs === address || seenAs.startsWith('127.') ? '' : `; the server sees this one as ${seenAs}`;
    super(
      `${address} is the address of the node ${other}, which is connected, and pods of two nodes with one address do not reach each other${seen}; give this node the address by which the others reach it: --node-ip ADDRESS`,
    );
  }
}

export class TokenExpiredError extends KagentError {
  readonly code = 'TOKEN_EXPIRED';
  readonly fault = 'peer';
  constructor(id: string, expiresAt: string) {
    super(`the token ${id} has expired at ${expiresAt}; make a new one on the server with 'kagent token create'`);
  }
}

/** An agents' token was shown where a server joins. */
export class TokenRoleError extends KagentError {
  readonly code = 'TOKEN_ROLE';
  readonly fault = 'peer';
  constructor(id: string, wanted: string) {
    super(
      `the token ${id} lets agents in, not a ${wanted}; use the text of server/token, or make one with 'kagent token create --role server'`,
    );
  }
}

export class TokenExistsError extends KagentError {
  readonly code = 'TOKEN_EXISTS';
  readonly fault = 'peer';
  constructor(id: string) {
    super(`there is a token ${id} already; give another one, or delete it with 'kagent token delete ${id}'`);
  }
}

export class TokenUnknownError extends KagentError {
  readonly code = 'TOKEN_UNKNOWN';
  readonly fault = 'peer';
  constructor(id: string) {
    super(`there is no token ${id}; 'kagent token list' shows those there are`);
  }
}

/** The cluster's own tokens are replaced, never missing. */
export class TokenStaticError extends KagentError {
  readonly code = 'TOKEN_STATIC';
  readonly fault = 'peer';
  constructor(id: string) {
    super(`the ${id} token cannot be deleted; replace it with 'kagent token rotate'`);
  }
}

export class TokenSecretInvalidError extends KagentError {
  readonly code = 'TOKEN_SECRET_INVALID';
  readonly fault = 'peer';
  constructor() {
    super(
      "a token that is made has the form <id>.<secret>, 6 and 16 lower-case letters and digits; 'kagent token generate' prints one",
    );
  }
}

/** The kubelet may be some minor versions older than kube-apiserver, never newer. */
export class VersionSkewError extends KagentError {
  readonly code = 'JOIN_VERSION_SKEW';
  readonly fault = 'peer';
  constructor(versions: { readonly server: string; readonly node: string }, reason: string) {
    super(
      `the server runs Kubernetes ${versions.server} and this box would run ${versions.node}, which ${reason}; install the server's version of kagent here, or upgrade the server first`,
    );
  }
}

/** `--replace` is for a machine that is gone. */
export class NodeAliveError extends KagentError {
  readonly code = 'NODE_ALIVE';
  readonly fault = 'peer';
  constructor(nodeName: string) {
    super(
      `${nodeName} is connected from another machine and is not replaced; stop kagent there first, or choose another name with --node-name`,
    );
  }
}

/** It was removed, or never joined: its certificate alone is not enough. */
export class NodeNotJoinedError extends KagentError {
  readonly code = 'NODE_NOT_JOINED';
  readonly fault = 'peer';
  constructor(nodeName: string) {
    super(`${nodeName} is no node of this cluster any more; start it with --token to join again`);
  }
}
