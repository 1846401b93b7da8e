/** The load client, as a child: one measurement for each run. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RunningServer } from './servers.ts';

/** What `client/` says of one run. */
export interface Load {
  readonly operations: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server, all its threads. */
  readonly cpuSeconds: number;
  /** Of the load client. */
  readonly clientCpuSeconds: number;
  /** Watches only: of the latency, what came after the answer to the write. */
  readonly afterAnswerP50Ms?: number;
  readonly afterAnswerP99Ms?: number;
}

export interface LoadOptions {
  readonly operation: string;
  readonly clients: number;
  readonly seconds?: number;
  readonly warmUpSeconds?: number;
  /** Bounds the run instead of `seconds`. */
  readonly count?: number;
}

/** @throws with what the client said, when an answer was not as it must be */
export async function putLoad(client: string, server: RunningServer, options: LoadOptions): Promise<Load> {
  const { operation, clients, seconds = 0, warmUpSeconds = 0, count = 0 } = options;
  const flags = {
    endpoint: server.address,
    'server-pid': server.pid,
    operation,
    clients,
    duration: `${seconds}s`,
    'warm-up': `${warmUpSeconds}s`,
    count,
  };
  const args = Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`);
  const { stdout } = await promisify(execFile)(client, args);
  return JSON.parse(stdout) as Load;
}
