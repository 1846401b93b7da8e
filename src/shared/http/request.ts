import { request as requestHttp } from 'node:http';
import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface HttpRequest {
  /** `https:` or `http:` */
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /**
   * Holds the connections and says whom to trust; see agents.ts. With `false` a connection of its own, which is for plain HTTP.
   */
  readonly agent: Agent | false;
  /** Where somebody listens on this host; the URL's host and port mean nothing then. */
  readonly socketPath?: string;
  /** A server that sends nothing for so long is given up. */
  readonly silenceMs?: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class SilentError extends Error {
  constructor(host: string, silenceMs: number) {
    super(`${host} sent nothing for ${silenceMs / 1000} s`);
  }
}

const usualMaxBytes = 64 * 1024 * 1024;
/** Of an answer that is let in although nobody reads it. */
const discardedBytes = 1024 * 1024;

/**
 * The whole answer.
 * @throws Node's system and TLS errors as they are; a `TimeoutError` when `timeoutMs` has passed; the reason of `signal`
 */
export async function httpRequest(
  request: HttpRequest & {
    /** Until the whole answer is here; unless said, as long as `signal` lets it. */
    readonly timeoutMs?: number | undefined;
  },
  signal?: AbortSignal,
): Promise<HttpReply> {
  const reply = await openHttp(request, whicheverFirst(signal, request.timeoutMs));
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: await textOf(reply) };
}

function whicheverFirst(signal: AbortSignal | undefined, timeoutMs: number | undefined): AbortSignal {
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  if (signal === undefined || timeout === undefined) return signal ?? timeout ?? new AbortController().signal;
  return AbortSignal.any([signal, timeout]);
}

/** The answer as a stream, when its head is here. `signal` ends the stream too. */
export function openHttp(request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { method = 'GET', body, agent, socketPath, silenceMs } = request;
  const url = new URL(request.url);
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const options = {
    method,
    headers: { ...request.headers, ...length },
    agent,
    signal,
    ...(socketPath !== undefined && { socketPath }),
    ...(silenceMs !== undefined && { timeout: silenceMs }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
    let answer: IncomingMessage | undefined;
    outgoing.once('response', (response) => resolve((answer = response)));
    outgoing.once('timeout', () => (answer ?? outgoing).destroy(new SilentError(url.host, silenceMs ?? 0)));
    // Node reports an abort as an error without the reason of the signal.
    outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    // As bytes: Node writes headers together with a text in the text's encoding, and so changes what is not ASCII in them.
    outgoing.end(body === undefined ? undefined : Buffer.from(body));
  });
}

/** All of it, whatever length it says or does not say. @throws {RangeError} if it is over `maxBytes` */
export async function textOf(response: IncomingMessage, maxBytes = usualMaxBytes): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw new RangeError(`the answer is over ${maxBytes} bytes`); // and is closed
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An answer that nobody reads: what is short is let in, so that its connection is used again. */
export function discard(response: IncomingMessage): void {
  if (Number(response.headers['content-length'] ?? Infinity) <= discardedBytes) response.resume();
  else response.destroy();
}
