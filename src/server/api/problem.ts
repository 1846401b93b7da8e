import { KagentError } from '../../shared/errors.ts';
import { TooManyAttemptsError } from '../join/join.ts';

/** RFC 9457, with the error's stable code. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** With which `detail` ends, if whoever asked can do something about it. */
  readonly remedy?: string;
}

export interface Asker {
  /** Root on this host, who may know what kube-apiserver and the datastore said. */
  readonly isRoot?: boolean;
}

/**
 * Only what the peer can act on is told; anything of our own is `INTERNAL`, and its words stay in the log. A peer's error
 * without a status is one of ours here: kube-apiserver or the datastore has refused this server, and asking again helps.
 */
export function problemOf(error: unknown, { isRoot = false }: Asker = {}): Problem {
  const isTold = error instanceof KagentError && error.fault === 'peer' && (isRoot || error.httpStatus !== undefined);
  if (!isTold) {
    const detail = 'the server failed; its log says why';
    return { type: 'about:blank', title: 'Internal', status: 500, code: 'INTERNAL', detail };
  }
  return {
    type: 'about:blank',
    title: titleOf(error.code),
    status: error.httpStatus ?? 500,
    code: error.code,
    detail: error.message,
    ...(error.remedy !== undefined && { remedy: error.remedy }),
  };
}

/** `NODE_NAME_TAKEN` gives `NodeNameTaken`: a class's own name is the bundler's to change. */
function titleOf(code: string): string {
  return code.toLowerCase().replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

export function problemResponse(error: unknown, asker: Asker = {}): Response {
  const problem = problemOf(error, asker);
  const retryAfter = error instanceof TooManyAttemptsError ? { 'retry-after': String(error.retryAfterSeconds) } : {};
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', ...retryAfter },
  });
}
