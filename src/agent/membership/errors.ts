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

/** Nobody listens there. */
export class ServerRefusedError extends KagentError {
  readonly code = 'JOIN_REFUSED';
  readonly fault = 'peer';
  constructor(url: string, cause: unknown) {
    super(`nothing listens at ${url}`, {
      remedy: 'check that kagent runs on the server and that --url names its port',
      cause,
    });
  }
}

export class ServerTimeoutError extends KagentError {
  readonly code = 'JOIN_TIMEOUT';
  readonly fault = 'peer';
  constructor(url: string, cause: unknown) {
    super(`${url} does not answer`, { remedy: 'check the address, and that no firewall drops TCP to its port', cause });
  }
}

export class ServerUnreachableError extends KagentError {
  readonly code = 'JOIN_UNREACHABLE';
  readonly fault = 'peer';
  constructor(url: string, reason: string, cause: unknown) {
    super(`${url} is not reached (${reason})`, { remedy: "check this box's network and the address", cause });
  }
}

export class ServerNameError extends KagentError {
  readonly code = 'JOIN_DNS';
  readonly fault = 'operator';
  constructor(url: string, cause: unknown) {
    super(`the name in ${url} does not resolve here`, {
      remedy: "check it and this box's DNS, or give the server's IP address",
      cause,
    });
  }
}

/** What listens there does not speak TLS, or breaks it off. */
export class ServerTlsError extends KagentError {
  readonly code = 'JOIN_TLS';
  readonly fault = 'peer';
  constructor(url: string, reason: string, cause: unknown) {
    super(`TLS with ${url} fails (${reason})`, {
      remedy: 'check that a kagent server, and nothing in between, answers there',
      cause,
    });
  }
}

/** The server is the right one, but its certificate is for other names. */
export class ServerSanError extends KagentError {
  readonly code = 'JOIN_TLS_NAME';
  readonly fault = 'operator';
  constructor(url: string, cause: unknown) {
    const host = new URL(url).hostname;
    super(`the server's certificate is not for ${host}`, {
      remedy: `start the server with --tls-san ${host}, or use another address of it`,
      cause,
    });
  }
}

export class CaHashDiffersError extends KagentError {
  readonly code = 'JOIN_CA_HASH';
  readonly fault = 'operator';
  constructor(url: string, expected: string, actual: string) {
    super(`the CA of ${url} has the sha256 ${actual}, the token wants ${expected}`, {
      remedy:
        'the token is of another cluster, the server was made anew, or somebody stands in between: copy the token anew from the server itself',
    });
  }
}

/** It answers, but not as a kagent server does. */
export class NotKagentError extends KagentError {
  readonly code = 'JOIN_NOT_KAGENT';
  readonly fault = 'operator';
  constructor(url: string, reason: string) {
    super(`${url} is not a kagent server (${reason})`, { remedy: "check --url, the supervisor's port is 9345" });
  }
}

export class ClockSkewError extends KagentError {
  readonly code = 'JOIN_CLOCK';
  readonly fault = 'operator';
  constructor(url: string, skewMs: number) {
    const seconds = Math.round(Math.abs(skewMs) / 1000);
    const direction = skewMs > 0 ? 'ahead of' : 'behind';
    super(`this box's clock is ${seconds} s ${direction} that of ${url}`, {
      remedy: 'set one of them right, best by NTP on both',
    });
  }
}

/** The server understood and said no; its own words, with its own code. */
export class JoinRefusedError extends KagentError {
  readonly code: string;
  readonly fault = 'operator';
  readonly status: number;
  constructor(url: string, refusal: Refusal & { readonly status: number }) {
    const { what, remedy } = splitRemedy(refusal.detail, refusal.remedy);
    super(`${url} refuses: ${what}`, { remedy });
    this.code = refusal.code;
    this.status = refusal.status;
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

/** Whether a later try may do better without anybody changing anything here. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof ServerRefusedError ||
    error instanceof ServerTimeoutError ||
    error instanceof ServerUnreachableError ||
    error instanceof ServerNameError ||
    error instanceof ServerTlsError ||
    (error instanceof JoinRefusedError && error.status >= 500)
  );
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
