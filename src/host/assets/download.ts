/**
 * One file from a web server, by HTTP ranges: continues where an earlier attempt, or an earlier process, broke off.
 * Redirects are followed; HTTP_PROXY, HTTPS_PROXY and NO_PROXY are heeded; the box's own CAs are believed beside Node's.
 */
import type { FileHandle } from 'node:fs/promises';
import { get as getHttp, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { get as getHttps, Agent as HttpsAgent } from 'node:https';
import { systemCode } from '../../shared/errors.ts';
import { writeAt } from '../../shared/files/files.ts';
import { publicCas, verified } from '../../shared/https/https.ts';
import { isDirect, proxiesOf } from '../../shared/proxy/proxy.ts';

/** A server that sends nothing for so long is given up. */
const silenceMs = 30_000;
const mostRedirects = 5;

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
  const reply = await open(url, from, signal);
  let position = startOf(reply, from);
  checkLength(reply, sizeBytes - position);
  reply.setTimeout(silenceMs, () => reply.destroy(silent()));
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

function silent(): DownloadError {
  return new DownloadError(`it sent nothing for ${silenceMs / 1000} s`);
}

async function open(url: string, from: number, signal: AbortSignal): Promise<IncomingMessage> {
  let address = url;
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    const reply = await request(address, from, signal);
    const { location } = reply.headers;
    if (reply.statusCode === undefined || reply.statusCode < 300 || reply.statusCode >= 400 || location === undefined) {
      return reply;
    }
    reply.destroy();
    address = new URL(location, address).href;
  }
  throw new DownloadError(`it redirects more than ${mostRedirects} times`);
}

function request(url: string, from: number, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    const proxy = isDirect(new URL(url), process.env, []) ? {} : { proxyEnv: proxiesOf(process.env) };
    const outgoing = url.startsWith('https:')
      ? getHttps(url, { headers, signal, agent: new HttpsAgent({ ...proxy, ca: publicCas(), ...verified }) }, resolve)
      : getHttp(url, { headers, signal, agent: new HttpAgent(proxy) }, resolve);
    outgoing.setTimeout(silenceMs, () => outgoing.destroy(silent())); // until the answer begins
    outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
  });
}

/** Where in the file the answer begins: a server that knows no ranges sends all of it. */
function startOf(reply: IncomingMessage, asked: number): number {
  if (reply.statusCode === 200) return 0;
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
