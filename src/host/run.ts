/**
 * @module
 * The one way to run a command of this host to its end.
 * Knows: its input and output, deadline, cancelling, how it ended.
 * Leaves to others: children that are kept alive (process/), daemons (service/).
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { messageOf, systemCode } from '../shared/errors.ts';
import { lastLines } from '../shared/plain-text/plain-text.ts';

export interface RunOptions {
  /** Complete; this process's own unless said. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Its stdin, which is empty unless said. It is killed when the source of it fails. */
  readonly input?: string | AsyncIterable<Uint8Array>;
  /** It is killed then. */
  readonly timeoutMs?: number;
  /** Sends it SIGTERM; its end is waited for all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Of stdout and of stderr each; it is killed when it writes more. */
  readonly maxBytes?: number;
  /** Told of each line of stdout. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Ctrl-C at the terminal is not for it. */
  readonly ownSession?: boolean;
}

/** How a command ended. */
export interface Ended {
  /** As a shell counts: 127 if it could not be started, 128 and the number of the signal that ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** It wrote more than `maxBytes`; what came first is here. */
  readonly isCut: boolean;
  /** Why it has not done what it was to do: its last lines, if it wrote any. Undefined after code 0. */
  readonly reason: string | undefined;
  /** The system's error of a command that could not be started. */
  readonly startError?: Error;
}

/** Names the command and its last lines; has the system's code where it could not be started. */
export class CommandFailedError extends Error {
  readonly ended: Ended;
  readonly code: string | undefined;
  constructor(line: readonly string[], ended: Ended) {
    super(`${line.join(' ')}: ${ended.reason}`, { cause: ended.startError });
    this.ended = ended;
    this.code = systemCode(ended.startError);
  }
}

const usualMaxBytes = 64 * 1024 * 1024;
const shownLines = 3;
/** What it has started may hold on to its output when it was ended; this long. */
const outputGraceMs = 500;

/**
 * @returns what it wrote to stdout
 * @throws {CommandFailedError} unless it ends with code 0
 */
export async function run(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
  const ended = await runToEnd(command, args, options);
  options.signal?.throwIfAborted();
  if (ended.reason !== undefined) throw new CommandFailedError([command, ...args], ended);
  return ended.stdout;
}

/** Whatever code it ends with: never rejects. */
export async function runToEnd(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { env = process.env, cwd, input, signal, ownSession = false } = options;
  if (signal?.aborted === true) return notStarted(128 + constants.signals.SIGTERM, 'cancelled before it was started');
  const child = spawn(command, [...args], {
    env,
    cwd,
    detached: ownSession, // setsid
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  }) as Child;
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    return { ...notStarted(127, error.message), startError: error };
  }
  child.on('error', () => {}); // it may not be ended; its own end is waited for
  child.stdin?.on('error', () => {}); // it has ended before it read all; its code says why
  const source = new AbortController();
  if (typeof input === 'string') child.stdin?.end(input);
  else if (input !== undefined && child.stdin !== null) void feed(child.stdin, input, source);
  return await endOf(child, options, source.signal);
}

/** @param failed aborted with what the source has failed with */
async function feed(stdin: Writable, input: AsyncIterable<Uint8Array>, failed: AbortController): Promise<void> {
  try {
    for await (const chunk of input) {
      if (stdin.destroyed) return;
      if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), once(stdin, 'close')]);
    }
    stdin.end();
  } catch (error) {
    if (!stdin.destroyed) failed.abort(error);
  }
}

type Child = ChildProcessByStdio<Writable | null, Readable, Readable>;

function endOf(child: Child, options: RunOptions, source: AbortSignal): Promise<Ended> {
  const { timeoutMs, signal, maxBytes = usualMaxBytes, onLine } = options;
  let killedFor: string | undefined;
  const end = (by: NodeJS.Signals) => {
    child.once('exit', () => setTimeout(letGo, outputGraceMs, child).unref());
    child.kill(by);
  };
  const kill = (reason: string) => {
    if (killedFor === undefined) end('SIGKILL');
    killedFor ??= reason;
  };
  const onAbort = () => end('SIGTERM');
  const outputs = [child.stdout, child.stderr].map((stream) =>
    collect(stream, maxBytes, () => kill(`it writes more than ${maxBytes} bytes`)),
  );
  if (onLine !== undefined) createInterface({ input: child.stdout }).on('line', onLine);
  signal?.addEventListener('abort', onAbort, { once: true });
  source.addEventListener('abort', () => kill(messageOf(source.reason)), { once: true });
  const late = () => kill(`no end within ${(timeoutMs ?? 0) / 1000} s`);
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  return new Promise<Ended>((resolve) => {
    child.once('close', (exitCode, by) => {
      const [stdout = '', stderr = ''] = outputs.map(({ text }) => text());
      const code = exitCode ?? 128 + (by === null ? 0 : constants.signals[by]);
      const isCut = outputs.some((output) => output.isFull());
      const failure = code === 0 ? undefined : lastLines(stderr, shownLines) || `exit code ${code}`;
      resolve({ code, stdout, stderr, isCut, reason: killedFor ?? failure });
    });
  }).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  });
}

function letGo(child: Child): void {
  child.stdout.destroy();
  child.stderr.destroy();
}

/** A stream's text, of at most `maxBytes`. */
function collect(stream: Readable, maxBytes: number, onFull: () => void) {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (sizeBytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - sizeBytes));
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) onFull();
  });
  return { text: () => Buffer.concat(chunks).toString('utf8'), isFull: () => sizeBytes > maxBytes };
}

function notStarted(code: number, reason: string): Ended {
  return { code, stdout: '', stderr: '', isCut: false, reason };
}
