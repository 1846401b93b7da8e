import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { KagentError, messageOf, splitRemedy, systemCode } from '../../shared/errors.ts';
import { httpRequest } from '../../shared/http/http.ts';
import type { HttpReply } from '../../shared/http/http.ts';
import { Refusal } from '../../shared/protocol/refusal.ts';
import { listenPrivately } from '../../shared/listen/listen.ts';

const Condition = z.object({
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
  /** With which the message ends. */
  remedy: z.string().optional(),
});

/** What `kagent status -o json` prints. */
export const DaemonStatus = z.object({
  mode: z.enum(['server', 'agent']),
  version: z.string(),
  pid: z.int(),
  since: z.string(),
  dataDir: z.string(),
  nodeName: z.string().optional(),
  /** Whether every component was ready once; an earlier kagent says so by `isReady`. */
  isStarted: z.boolean().optional(),
  /** Whether every component is ready now. */
  isReady: z.boolean(),
  /** What is worth knowing though nothing is wrong, in sentences. */
  notes: z.array(z.string()).default([]),
  components: z.array(
    z.object({
      name: z.string(),
      condition: Condition,
      pid: z.int().optional(),
      /** Of a child: what it was told. */
      args: z.array(z.string()).optional(),
      restarts: z.int(),
      since: z.string().optional(),
      cpuSeconds: z.number().optional(),
      memoryBytes: z.number().optional(),
      anonymousBytes: z.number().optional(),
      /** Milliseconds from the start of the process to this component's start, and to its readiness. */
      startedAtMs: z.number().optional(),
      readyAtMs: z.number().optional(),
    }),
  ),
  events: z.array(
    z.object({
      type: z.string(),
      reason: z.string(),
      regarding: z.string(),
      message: z.string(),
      eventTime: z.string(),
    }),
  ),
});
export type DaemonStatus = z.infer<typeof DaemonStatus>;

/** Whether the start is over. */
export function hasStarted({ isStarted, isReady }: Pick<DaemonStatus, 'isStarted' | 'isReady'>): boolean {
  return isStarted ?? isReady;
}

/** Also of an earlier kagent, which stays ready once it was. */
export function isAllReady({ isReady, components }: Pick<DaemonStatus, 'isReady' | 'components'>): boolean {
  return isReady && components.every(({ condition }) => condition.status === 'True');
}

/** Nobody listens there. */
export class NotRunningError extends KagentError {
  readonly code = 'NOT_RUNNING';
  readonly fault = 'operator';

  constructor(socketPath: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`no kagent answers at ${socketPath} (${reason})`, {
      ...options,
      remedy: "start one with 'kagent server' or through the box's service manager",
    });
  }
}

/** Somebody listens there, and no status comes: nothing is to be started. */
export class NoAnswerError extends KagentError {
  readonly code = 'NO_ANSWER';
  readonly fault = 'operator';

  constructor(socketPath: string, said: string, options: { readonly remedy: string; readonly cause: unknown }) {
    super(`the kagent at ${socketPath} ${said}`, options);
  }
}

/** Of a socket at which nobody listens. */
const absent: readonly (string | undefined)[] = ['ENOENT', 'ECONNREFUSED'];

function failureOf(socketPath: string, error: unknown, timeoutMs: number): KagentError {
  const code = systemCode(error);
  if (absent.includes(code)) return new NotRunningError(socketPath, code ?? '', { cause: error });
  if (code === 'EACCES')
    return new NoAnswerError(socketPath, 'answers root alone', { remedy: 'ask it as root', cause: error });
  if (error instanceof Error && error.name === 'TimeoutError')
    return new NoAnswerError(
      socketPath,
      `has not answered within ${timeoutMs / 1000} s: it runs, but the box is too busy, or kagent was stopped by a signal`,
      { remedy: "ask again, and see 'uptime' and the state of its process in 'ps aux'", cause: error },
    );
  return new NoAnswerError(socketPath, `broke off its answer (${code ?? messageOf(error)})`, {
    remedy: 'ask again',
    cause: error,
  });
}

/** What a mode answers at the same socket beside its status: a server, for tokens and nodes. */
export type LocalRequests = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Answers root on this box, and nobody else. @returns what ends it */
export async function serveLocally(
  socketPath: string,
  answers: { readonly status: () => DaemonStatus; readonly others: LocalRequests | undefined },
): Promise<() => void> {
  const server = createServer((request, response) => {
    if (request.url !== '/status' && answers.others !== undefined) return void answers.others(request, response);
    const [code, body] = request.url === '/status' ? [200, answers.status()] : [404, {}];
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await listenPrivately(server, socketPath); // the data dir's lock says that nobody listens there any more
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
    rmSync(socketPath, { force: true });
  };
}

/** The running kagent understood and said no; its own words, with its own code. */
export class LocalRefusedError extends KagentError {
  readonly code: string;
  readonly fault = 'operator';
  constructor(refusal: Refusal) {
    const { what, remedy } = splitRemedy(refusal.detail, refusal.remedy);
    super(what, { remedy });
    this.code = refusal.code;
  }
}

/** Tokens and nodes are a server's. */
export class NotServerError extends KagentError {
  readonly code = 'NOT_A_SERVER';
  readonly fault = 'operator';
  constructor() {
    super('the kagent on this box is an agent', { remedy: 'type this on a server' });
  }
}

/** @throws {NotRunningError} @throws {NoAnswerError} also when there is none within `timeoutMs` */
export async function askStatus(socketPath: string, timeoutMs?: number): Promise<DaemonStatus> {
  const { body } = await ask(socketPath, {
    method: 'GET',
    path: '/status',
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  try {
    return DaemonStatus.parse(JSON.parse(body));
  } catch (error) {
    throw new NoAnswerError(socketPath, 'is of another version, and its status is not understood', {
      remedy: "restart it, or use that version's executable",
      cause: error,
    });
  }
}

export interface LocalRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** For what takes its time, as moving pods away. */
  readonly timeoutMs?: number;
}

/** Asks the server on this box. @throws {NotRunningError} @throws {NoAnswerError} @throws {NotServerError} @throws {LocalRefusedError} */
export async function askServer<T>(socketPath: string, request: LocalRequest, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await ask(socketPath, request);
  if (status === 404 && body === '{}') throw new NotServerError();
  const answer = body === '' ? undefined : (JSON.parse(body) as unknown);
  if (status >= 400) throw new LocalRefusedError(Refusal.parse(answer));
  return schema.parse(answer);
}

async function ask(socketPath: string, { method, path, body, timeoutMs = 5000 }: LocalRequest): Promise<HttpReply> {
  const content =
    body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  try {
    return await httpRequest({
      url: `http://localhost${path}`,
      socketPath,
      method,
      agent: false,
      timeoutMs,
      ...content,
    });
  } catch (error) {
    throw failureOf(socketPath, error, timeoutMs);
  }
}
