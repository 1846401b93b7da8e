import { KagentError } from '../../shared/errors.ts';
import { TooManyAttemptsError } from '../join/join.ts';

/** RFC 9457, with the error's stable code. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

const statuses: Readonly<Record<string, number>> = {
  API_BODY_INVALID: 400,
  API_BODY_TOO_LARGE: 413,
  API_DRAIN_BUSY: 429,
  API_NO_CERTIFICATE: 401,
  API_NO_TOKEN: 401,
  API_REQUEST_ABORTED: 400,
  CSR_INVALID: 400,
  JOIN_VERSION_SKEW: 409,
  NODE_ADDRESS_INVALID: 400,
  NODE_ADDRESS_RESERVED: 409,
  NODE_ADDRESS_TAKEN: 409,
  NODE_ALIVE: 409,
  NODE_HEARD_LATELY: 409,
  NODE_IS_SERVER: 409,
  NODE_NAME_INVALID: 400,
  NODE_NAME_RESERVED: 409,
  NODE_NAME_TAKEN: 409,
  NODE_NOT_CONNECTED: 409,
  NODE_NOT_JOINED: 403,
  NODE_STILL_READY: 409,
  NODE_UNKNOWN: 404,
  PROBE_BUSY: 429,
  PROBE_UNKNOWN: 404,
  RELEASE_HOST_HEADER: 400,
  TOKEN_EXISTS: 409,
  TOKEN_EXPIRED: 401,
  TOKEN_NODE: 403,
  TOKEN_ROLE: 403,
  TOKEN_STATIC: 409,
  TOKEN_UNKNOWN: 404,
  TOKEN_WRONG: 401,
  TOO_MANY_ATTEMPTS: 429,
  USER_NAME_INVALID: 400,
};

/** Only what the peer can act on is told; anything of our own is `INTERNAL`, and its words stay in the log. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof KagentError) || error.fault !== 'peer') {
    const detail = 'the server failed; its log says why';
    return { type: 'about:blank', title: 'Internal', status: 500, code: 'INTERNAL', detail };
  }
  const status = statuses[error.code] ?? 400;
  return {
    type: 'about:blank',
    title: titleOf(error.code),
    status,
    code: error.code,
    detail: error.message,
  };
}

/** `NODE_NAME_TAKEN` gives `NodeNameTaken`: a class's own name is the bundler's to change. */
function titleOf(code: string): string {
  return code.toLowerCase().replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  const retryAfter = error instanceof TooManyAttemptsError ? { 'retry-after': String(error.retryAfterSeconds) } : {};
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', ...retryAfter },
  });
}
