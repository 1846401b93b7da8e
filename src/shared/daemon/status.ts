import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { KagentError, systemCode } from '../errors.ts';

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

/** Answers questions about the running process to root on this box, and to nobody else. @returns what ends it */
export async function serveStatus(socketPath: string, status: () => DaemonStatus): Promise<() => void> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
  rmSync(socketPath, { force: true }); // the data dir's lock says that nobody listens there any more
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(status()));
  });
  const before = process.umask(0o177); // the socket is never open to others, not for a moment
  server.listen(socketPath);
  await once(server, 'listening').finally(() => process.umask(before));
  chmodSync(socketPath, 0o600);
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
    rmSync(socketPath, { force: true });
  };
}

/** @throws {NotRunningError} */
export async function askStatus(socketPath: string): Promise<DaemonStatus> {
  try {
    const asked = request({ socketPath, path: '/status', timeout: 5000, agent: false }).end();
    const [response] = await once(asked, 'response');
    return DaemonStatus.parse(JSON.parse(await text(response)));
  } catch (error) {
    throw new NotRunningError(socketPath, systemCode(error) ?? String(error), { cause: error });
  }
}
