import { messageOf } from '../../shared/errors.ts';
import { httpsAgent, httpRequest, SteadyGet } from '../../shared/http/http.ts';
import type { SteadyReply, TlsCredentials } from '../../shared/http/http.ts';
import { lookUntil } from '../../shared/look-until.ts';

/** Start-up waits for the answer, so it is asked for often; over one connection that costs little, where there is one already. */
const looks = { leastMs: 30, mostMs: 500, timesLook: 4 };
const looksForMs = 5000;
/** On a slow host that starts, an answer takes longer than that: cut short, it would never come. */
const answersWithinMs = 30_000;

export interface Question {
  readonly url: string;
  /** PEM of the only CAs that are believed, as they are then. */
  readonly ca: () => string;
  /** The name that the certificate is to have; the URL's host unless said. */
  readonly servername?: string;
  /** Who asks, as it is then: a certificate may have been renewed. */
  readonly client?: () => { readonly cert: string; readonly key: string };
}

/**
 * Resolves as soon as `url` answers 200 to a client that verifies it: a page that merely contains `ok` is not enough.
 * Rejects with the last answer after five seconds, or when it comes later, so that who waits can say what it waits for.
 */
export function answersOk(question: Question): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    // An agent of its own: a process that was replaced must not be asked over its predecessor's connection.
    const agent = httpsAgent(credentialsOf(question));
    try {
      const untilMs = performance.now() + looksForMs;
      const isOk = async () => {
        const failure = await failureOf({ url: question.url, agent, timeoutMs: answersWithinMs }, signal);
        if (failure === undefined) return true;
        if (performance.now() > untilMs) throw failure;
        return undefined;
      };
      await lookUntil(isOk, looks, signal);
    } finally {
      agent.destroy();
    }
  };
}

/** For a program that was ready: resolves if it still says so. Over one connection, which costs next to nothing. */
export function answers(question: Question): (signal: AbortSignal) => Promise<void> {
  let known: { readonly get: SteadyGet; readonly credentials: TlsCredentials } | undefined;
  return async (signal) => {
    const credentials = credentialsOf(question);
    if (known?.credentials.cert !== credentials.cert || known?.credentials.ca !== credentials.ca) {
      known?.get.close(); // a connection keeps what it was opened with, until its certificate expires
      known = undefined;
    }
    known ??= { get: new SteadyGet(question.url, credentials), credentials };
    const reply = await known.get.ask(signal);
    if (reply !== undefined) return checkOk(question.url, reply);
    const agent = httpsAgent(credentials);
    try {
      checkOk(question.url, await httpRequest({ url: question.url, agent }, signal));
    } finally {
      agent.destroy();
    }
  };
}

/** Without the system's code: a file of kagent's that is not there says nothing of the program that is asked. */
function credentialsOf({ ca, servername, client }: Question): TlsCredentials {
  try {
    return { ca: ca(), ...(servername !== undefined && { servername }), ...client?.() };
  } catch (error) {
    throw new Error(`kagent's own certificate cannot be read: ${messageOf(error)}`);
  }
}

async function failureOf(request: Parameters<typeof httpRequest>[0], signal: AbortSignal): Promise<Error | undefined> {
  try {
    checkOk(request.url, await httpRequest(request, signal));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error : new Error(String(error));
  }
}

function checkOk(url: string, { status, body }: SteadyReply): void {
  if (status !== 200) throw new Error(`${url} answers ${status}: ${failing(body)}`);
}

/** Of a page with a line for each check those that fail; else its beginning. */
function failing(body: string): string {
  const checks = body.split('\n').filter((line) => line.startsWith('[-]'));
  return (checks.length > 0 ? checks.join(', ') : body.trim()).slice(0, 300);
}
