import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { KagentError, messageOf, systemCode } from '../errors.ts';
import { Refusal } from '../protocol/refusal.ts';
import { listenPrivately } from '../listen/listen.ts';

const Condition = z.object({
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
});

/** What `kagent status -o json` prints. */
export const DaemonStatus = z.object({
  mode: z.enum(['server', 'agent']),
  version: z.string(),
  pid: z.int(),
  since: z.string(),
  dataDir: z.string(),
  nodeName: z.string().optional(),
  isReady: z.boolean(),
  /** What is worth knowing though nothing is wrong, in sentences. */
  notes: z.array(z.string()).default([]),
  components: z.array(
    z.object({
      name: z.string(),
      condition: Condition,
      pid: z.int().optional(),
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

export class NotRunningError extends KagentError {
  readonly code = 'NOT_RUNNING';
  readonly fault = 'operator';

  constructor(socketPath: string, reason: string, options?: { readonly cause?: unknown }) {
    super(
      `no kagent answers at ${socketPath} (${reason}); start one with 'kagent server' or through the box's service manager`,
      options,
    );
  }
}

/** What a mode answers at the same door beside its status: a server, for tokens and nodes. */
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
  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Tokens and nodes are a server's. */
export class NotServerError extends KagentError {
  readonly code = 'NOT_A_SERVER';
  readonly fault = 'operator';
  constructor() {
    super('the kagent on this box is an agent; type this on a server');
  }
}

/** @throws {NotRunningError} also when there is no answer within `timeoutMs` */
export async function askStatus(socketPath: string, timeoutMs?: number): Promise<DaemonStatus> {
  const { body } = await ask(socketPath, {
    method: 'GET',
    path: '/status',
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  try {
    return DaemonStatus.parse(JSON.parse(body));
  } catch (error) {
    throw new NotRunningError(socketPath, 'it is of another version', { cause: error });
  }
}

export interface LocalRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** For what takes its time, as moving pods away. */
  readonly timeoutMs?: number;
}

/** Asks the server on this box. @throws {NotRunningError} @throws {NotServerError} @throws {LocalRefusedError} */
export async function askServer<T>(socketPath: string, request: LocalRequest, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await ask(socketPath, request);
  if (status === 404 && body === '{}') throw new NotServerError();
  const answer = body === '' ? undefined : (JSON.parse(body) as unknown);
  if (status >= 400) {
    const { code, detail } = Refusal.parse(answer);
    throw new LocalRefusedError(code, detail);
  }
  return schema.parse(answer);
}

async function ask(socketPath: string, { method, path, body, timeoutMs = 5000 }: LocalRequest) {
  try {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({ socketPath, method, path, headers, timeout: timeoutMs, agent: false });
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    throw new NotRunningError(socketPath, systemCode(error) ?? messageOf(error), { cause: error });
  }
}
