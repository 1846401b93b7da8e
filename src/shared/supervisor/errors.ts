import { KagentError, splitRemedy } from '../errors.ts';
import type { Refusal } from '../protocol/refusal.ts';

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
