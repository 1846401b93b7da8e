import { KagentError } from '../../shared/errors.ts';

/** One member at a time: the next one comes when this one has a vote, or was given up. */
export class MemberWaitsError extends KagentError {
  readonly code = 'ETCD_MEMBER_WAITS';
  readonly fault = 'peer';
  override readonly httpStatus = 503;
  constructor(reason: string, cause: unknown) {
    super(`another server cannot be added now: ${reason}`, {
      remedy: "it is tried again; 'kagent etcd member ls' on a server shows who is in",
      cause,
    });
  }
}

/** The cluster is in one server's own datastore. */
export class NoMembersError extends KagentError {
  readonly code = 'ETCD_NOT_HERE';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor() {
    super("this server's cluster is in a datastore that one server alone can have", {
      remedy: "make a cluster of several servers with 'kagent server --cluster-init' on the first one",
    });
  }
}
