/**
 * QEMU's guest agent: runs programs in a machine without its network, which is what the tests are about.
 * @see QEMU 7.2 docs/interop/qemu-ga-ref: guest-sync, guest-exec, guest-exec-status
 */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';

/** The serial port at whose other end the agent listens. */
export interface AgentPort {
  /** For one question: what an earlier one left in it may still come. */
  open(): Promise<AgentLine>;
}

export interface AgentLine {
  /** End when the line is closed, or the machine goes down. */
  readonly lines: AsyncIterator<string>;
  write(text: string): void;
  close(): void;
}

export interface GuestResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const Answer = z.object({ return: z.unknown().optional(), error: z.object({ desc: z.string() }).optional() });
const Started = z.object({ pid: z.int() });
const Status = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': z.base64().optional(),
  'err-data': z.base64().optional(),
});

/** Nothing came back: the machine is down, boots, or its agent has ended. */
export class GuestSilentError extends Error {}

/** Where the machine is expected to go down: any other error is thrown on. */
export function passSilence(error: unknown): void {
  if (!(error instanceof GuestSilentError)) throw error;
}

const answerWithinMs = 20_000;
/** A serial port holds 4 KiB that are not read yet; one of user-mode Linux hears nothing more after it was full. */
const pieceBytes = 1500;
const longScript = '/run/long-script';
/** Grows with the command's age: each question costs the machine, and a command that takes minutes need not be noticed at once. */
const askAgain = { leastMs: 300, mostMs: 5000, shareOfAge: 0.1 };

/** Runs a shell's text as root and waits for its end. @throws {GuestSilentError} when the machine goes down meanwhile */
export async function guestShell(port: AgentPort, script: string, timeoutMs: number): Promise<GuestResult> {
  const startMs = performance.now();
  if (script.length > pieceBytes) await writeFile(port, longScript, script);
  const { pid } = Started.parse(
    await ask(port, 'guest-exec', {
      path: '/bin/sh',
      arg: script.length > pieceBytes ? [longScript] : ['-c', script],
      env: [
        'PATH=/opt/kagent/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/root',
        'LANG=C.UTF-8',
      ],
      'capture-output': true,
    }),
  );
  for (;;) {
    const status = Status.parse(await ask(port, 'guest-exec-status', { pid }));
    if (status.exited) {
      const text = (data = '') => Buffer.from(data, 'base64').toString();
      return {
        code: status.exitcode ?? 128 + (status.signal ?? 0),
        stdout: text(status['out-data']),
        stderr: text(status['err-data']),
      };
    }
    const ageMs = performance.now() - startMs;
    if (ageMs > timeoutMs) throw new Error(`still runs after ${timeoutMs / 1000} s: ${script}`);
    await delay(Math.min(Math.max(ageMs * askAgain.shareOfAge, askAgain.leastMs), askAgain.mostMs));
  }
}

/** A text in pieces, each of which is answered before the next one. */
async function writeFile(port: AgentPort, path: string, text: string): Promise<void> {
  const handle = z.int().parse(await ask(port, 'guest-file-open', { path, mode: 'w' }));
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const piece = bytes.subarray(from, from + pieceBytes).toString('base64');
    await ask(port, 'guest-file-write', { handle, 'buf-b64': piece });
  }
  await ask(port, 'guest-file-close', { handle });
}

/** Whether the agent answers. */
export async function isAwake(port: AgentPort): Promise<boolean> {
  try {
    await ask(port, 'guest-ping', {}, 3000);
    return true;
  } catch (error) {
    if (error instanceof GuestSilentError) return false;
    throw error;
  }
}

/** What an earlier question left in the port is passed over until the answer to this `guest-sync`. */
async function ask(port: AgentPort, command: string, args: object, withinMs = answerWithinMs): Promise<unknown> {
  const line = await port.open();
  const timer = setTimeout(() => line.close(), withinMs);
  const say = (execute: string, values: object) => line.write(`${JSON.stringify({ execute, arguments: values })}\n`);
  try {
    const id = Math.floor(Math.random() * 2 ** 31);
    say('guest-sync', { id });
    for (let answer: unknown; answer !== id;) answer = (await next(line.lines)).return;
    say(command, args);
    const answer = await next(line.lines);
    if (answer.error !== undefined) throw new Error(`${command}: ${answer.error.desc}`);
    return answer.return;
  } finally {
    clearTimeout(timer);
    line.close();
  }
}

async function next(answers: AsyncIterator<string>): Promise<z.infer<typeof Answer>> {
  for (;;) {
    const { done, value } = await answers.next();
    if (done === true) throw new GuestSilentError('the machine does not answer');
    try {
      return Answer.parse(JSON.parse(value.replace(/^[^{]*/, '')));
    } catch {
      // a piece of an answer to somebody who did not wait for it
    }
  }
}
