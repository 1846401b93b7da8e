/** One file from a web server, by HTTP ranges: continues where an earlier attempt, or an earlier process, broke off. */
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createSecureContext } from 'node:tls';
import { systemCode } from '../../shared/errors.ts';
import { writeAt } from '../../shared/files/files.ts';
import { follow, isRedirect, mostRedirects, outsideAgents, publicCas, verified } from '../../shared/http/http.ts';

const silenceMs = 30_000;

export interface DownloadOptions {
  readonly url: string;
  /** Open for writing; what is in it already is the beginning of the file. */
  readonly file: FileHandle;
  /** Of the whole file: a server that sends more, or says that it has another length, is not believed. */
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

/** The server's answer, in its words. */
export class DownloadError extends Error {}

/** Resolves when the file has `sizeBytes`. @throws {DownloadError} and the system's errors */
export async function download({ url, file, sizeBytes, signal }: DownloadOptions): Promise<void> {
  const { size } = await file.stat();
  if (size > sizeBytes) await file.truncate(0);
  const from = size > sizeBytes ? 0 : size;
  if (from === sizeBytes) return;
  // The box's own CAs are believed beside Node's.
  const secureContext = createSecureContext({ ca: publicCas() });
  const agents = outsideAgents({ ...verified, secureContext, direct: () => [] });
  try {
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    const { response } = await follow({ url: new URL(url), headers, silenceMs }, agents, signal);
    await write(response, { file, from, sizeBytes });
  } finally {
    agents.close();
  }
}

interface Part {
  readonly file: FileHandle;
  /** What was asked for begins there. */
  readonly from: number;
  readonly sizeBytes: number;
}

async function write(reply: IncomingMessage, { file, from, sizeBytes }: Part): Promise<void> {
  let position = startOf(reply, from);
  checkLength(reply, sizeBytes - position);
  // By position: a second kagent that downloads the same file writes the same bytes to the same places.
  for await (const chunk of received(reply, () => position, sizeBytes)) {
    if (position + chunk.length > sizeBytes) throw new DownloadError(`it sends more than ${sizeBytes} bytes`);
    await writeAt(file, chunk, position);
    position += chunk.length;
  }
  if (position < sizeBytes) throw new DownloadError(`it ended after ${position} of ${sizeBytes} bytes`);
}

/** The answer's bytes; Node's word for a connection that broke off is "aborted". */
async function* received(reply: IncomingMessage, position: () => number, sizeBytes: number): AsyncGenerator<Buffer> {
  try {
    yield* reply as AsyncIterable<Buffer>;
  } catch (error) {
    if (systemCode(error) !== 'ECONNRESET') throw error;
    throw new DownloadError(`the connection broke off after ${position()} of ${sizeBytes} bytes`, { cause: error });
  }
}

/** Where in the file the answer begins: a server that knows no ranges sends all of it. */
function startOf(reply: IncomingMessage, asked: number): number {
  if (reply.statusCode === 200) return 0;
  if (isRedirect(reply)) throw new DownloadError(`it redirects more than ${mostRedirects} times`);
  const range = reply.headers['content-range'] ?? '';
  if (reply.statusCode === 206 && range.startsWith(`bytes ${asked}-`)) return asked;
  reply.destroy();
  throw new DownloadError(`it answered ${reply.statusCode} ${reply.statusMessage ?? ''}`.trim());
}

function checkLength(reply: IncomingMessage, expected: number): void {
  const length = reply.headers['content-length'];
  if (length === undefined || Number(length) === expected) return;
  reply.destroy();
  throw new DownloadError(`it has ${length} bytes to send, where ${expected} are missing`);
}
