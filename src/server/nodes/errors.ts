import { KagentError } from '../../shared/errors.ts';

export class NodeNotConnectedError extends KagentError {
  readonly code = 'NODE_NOT_CONNECTED';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`${nodeName} is not connected`, {
      remedy: "see 'kagent status' on that box, and whether it reaches this server's supervisor port",
    });
  }
}

export class NodeCommandError extends KagentError {
  readonly code = 'NODE_COMMAND';
  readonly fault = 'peer';
  override readonly httpStatus = 400;
  constructor(nodeName: string, reason: string) {
    super(`${nodeName} did not do it: ${reason}`);
  }
}

export class NodeUnknownError extends KagentError {
  readonly code = 'NODE_UNKNOWN';
  readonly fault = 'peer';
  override readonly httpStatus = 404;
  constructor(nodeName: string) {
    super(`there is no node ${nodeName}`, { remedy: "'kagent node ls' shows those there are" });
  }
}

/** Removing a node that works would take its pods along. */
export class NodeStillReadyError extends KagentError {
  readonly code = 'NODE_STILL_READY';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`${nodeName} is connected and Ready`, {
      remedy: `move its pods away first with 'kagent node drain ${nodeName}', or give --force`,
    });
  }
}

/** The node that runs the server goes only with its server. */
export class NodeIsServerError extends KagentError {
  readonly code = 'NODE_IS_SERVER';
  readonly fault = 'peer';
  override readonly httpStatus = 409;
  constructor(nodeName: string) {
    super(`${nodeName} is this server's own node`, {
      remedy: "take kagent off that box with 'kagent uninstall' instead",
    });
  }
}
