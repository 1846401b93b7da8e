import { KagentError, messageOf, splitRemedy, systemCode } from '../../shared/errors.ts';
import { wrongUsageExitCode } from '../../shared/exit-codes.ts';
import type { Refusal } from '../../shared/protocol/refusal.ts';

export class NoTokenError extends KagentError {
  readonly code = 'JOIN_NO_TOKEN';
  readonly fault = 'operator';
  constructor(url: string) {
    super(`a token is needed to join ${url}`, {
      remedy: 'give --token with the text of server/node-token on the server',
    });
  }
}

/** An agent takes the cluster's settings; one that is given here can only agree. */
export class SettingDiffersError extends KagentError {
  readonly code = 'CONFIG_SETTING_DIFFERS';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(flag: string, here: string, cluster: string) {
    super(`--${flag} is ${here} here but ${cluster} in the cluster`, {
      remedy: "leave it out: an agent takes the cluster's",
    });
  }
}

/** Certificates for another address are the server's to give. */
export class ServerAwayError extends KagentError {
  readonly code = 'JOIN_SERVER_AWAY';
  readonly fault = 'peer';
  constructor(nodeIp: string) {
    super(`no server is reached that would sign certificates for ${nodeIp}; this node keeps its old address`);
  }
}

/** `kagent stop --drain` on a box that is in no cluster. */
export class NotJoinedError extends KagentError {
  readonly code = 'DRAIN_NOT_JOINED';
  readonly fault = 'operator';
  constructor() {
    super('this box has joined no cluster, so there are no pods to move', { remedy: 'stop without --drain' });
  }
}

export class DrainRefusedError extends KagentError {
  readonly code = 'DRAIN_REFUSED';
  readonly fault = 'peer';
  constructor(url: string, refusal: Pick<Refusal, 'detail' | 'remedy'>) {
    const { what, remedy } = splitRemedy(refusal.detail, refusal.remedy);
    super(`${url} does not move this node's pods away: ${what}`, { remedy });
  }
}

export class ServersAwayError extends KagentError {
  readonly code = 'DRAIN_SERVERS_AWAY';
  readonly fault = 'peer';
  constructor(urls: readonly string[], cause: unknown) {
    const reason = systemCode(cause) ?? messageOf(cause);
    super(`no server is reached that could move this node's pods away (${urls.join(', ')}: ${reason})`, {
      remedy: 'stop without --drain',
      cause,
    });
  }
}
