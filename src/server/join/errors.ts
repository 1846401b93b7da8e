import { KagentError } from '../../shared/errors.ts';
import { nodeNameRule } from '../../shared/node-name.ts';

export class TokenWrongError extends KagentError {
  readonly code = 'TOKEN_WRONG';
  readonly fault = 'peer';
  override readonly httpStatus = 401;
  constructor() {
    super('the server does not know this token', { remedy: 'copy it anew from server/node-token on the server' });
  }
}

export class TooManyAttemptsError extends KagentError {
  readonly code = 'TOO_MANY_ATTEMPTS';
  readonly fault = 'peer';
  override readonly httpStatus = 429;
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super('too many wrong tokens from this address', { remedy: `try again in ${retryAfterSeconds} s` });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class UserNameInvalidError extends KagentError {
  readonly code = 'USER_NAME_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(name: string) {
    super(`${JSON.stringify(name)} is a name for Kubernetes' own parts`, {
      remedy: "choose a name without 'system:' for a person",
    });
  }
}

export class NodeNameInvalidError extends KagentError {
  readonly code = 'NODE_NAME_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(nodeName: string) {
    super(`${JSON.stringify(nodeName)} cannot name a node: ${nodeNameRule}; it has ${nodeName.length}`, {
      remedy: 'choose another with --node-name',
    });
  }
}

export class TokenExpiredError extends KagentError {
  readonly code = 'TOKEN_EXPIRED';
  readonly fault = 'peer';
  override readonly httpStatus = 401;
  constructor(id: string, expiresAt: string) {
    super(`the token ${id} has expired at ${expiresAt}`, {
      remedy: "make a new one on the server with 'kagent token create'",
    });
  }
}

/** An agents' token was shown where a server joins. */
export class TokenRoleError extends KagentError {
  readonly code = 'TOKEN_ROLE';
  readonly fault = 'peer';
  override readonly httpStatus = 403;
  constructor(id: string, wanted: string) {
    super(`the token ${id} lets agents in, not a ${wanted}`, {
      remedy: "use the text of server/token, or make one with 'kagent token create --role server'",
    });
  }
}

/** An administrator made it for one name. */
export class TokenNodeError extends KagentError {
  readonly code = 'TOKEN_NODE';
  readonly fault = 'peer';
  override readonly httpStatus = 403;
  constructor(id: string, nodeName: string) {
    super(`the token ${id} lets in the node ${nodeName} alone`, {
      remedy: `give --node-name ${nodeName}, or use another token`,
    });
  }
}

export class TokenExistsError extends KagentError {
  readonly code = 'TOKEN_EXISTS';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(id: string) {
    super(`there is a token ${id} already`, {
      remedy: `give another one, or delete it with 'kagent token delete ${id}'`,
    });
  }
}

export class TokenUnknownError extends KagentError {
  readonly code = 'TOKEN_UNKNOWN';
  readonly fault = 'peer';
  override readonly httpStatus = 404;
  constructor(id: string) {
    super(`there is no token ${id}`, { remedy: "'kagent token list' shows those there are" });
  }
}

/** The cluster's own tokens are replaced, never missing. */
export class TokenStaticError extends KagentError {
  readonly code = 'TOKEN_STATIC';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(id: string) {
    super(`the ${id} token cannot be deleted`, { remedy: "replace it with 'kagent token rotate'" });
  }
}

export class TokenSecretInvalidError extends KagentError {
  readonly code = 'TOKEN_SECRET_INVALID';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor() {
    super('a token that is made has the form <id>.<secret>, 6 and 16 lower-case letters and digits', {
      remedy: "'kagent token generate' prints one",
    });
  }
}

/** The kubelet may be some minor versions older than kube-apiserver, never newer. */
export class VersionSkewError extends KagentError {
  readonly code = 'JOIN_VERSION_SKEW';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(versions: { readonly server: string; readonly node: string }, reason: string) {
    super(`the server runs Kubernetes ${versions.server} and this box would run ${versions.node}, which ${reason}`, {
      remedy: "install the server's version of kagent here, or upgrade the server first",
    });
  }
}
