import type { Agent } from 'node:https';
import { messageOf } from '../../shared/errors.ts';
import { httpsAgent, httpRequest } from '../../shared/http/http.ts';
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
    const agent = agentFor(question, shownBy(question));
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
  let known: { readonly agent: Agent; readonly cert: string | undefined; readonly ca: string } | undefined;
  return async (signal) => {
    const client = shownBy(question);
    const ca = question.ca();
    if (known === undefined || known.cert !== client?.cert || known.ca !== ca) {
      known?.agent.destroy(); // a connection keeps what it was opened with, until its certificate expires
      known = { agent: agentFor(question, client), cert: client?.cert, ca };
    }
    const failure = await failureOf({ url: question.url, agent: known.agent, timeoutMs: answersWithinMs }, signal);
    if (failure !== undefined) throw failure;
  };
}

type Client = ReturnType<NonNullable<Question['client']>> | undefined;

/** Without the system's code: a file of kagent's that is not there says nothing of the program that is asked. */
function shownBy({ client }: Question): Client {
  try {
    return client?.();
  } catch (error) {
    throw new Error(`kagent's own certificate cannot be read: ${messageOf(error)}`);
  }
}

function agentFor({ ca, servername }: Question, client: Client): Agent {
  return httpsAgent({ ca: ca(), ...(servername !== undefined && { servername }), ...client });
}

async function failureOf(request: Parameters<typeof httpRequest>[0], signal: AbortSignal): Promise<Error | undefined> {
  try {
    const { status, body } = await httpRequest(request, signal);
    return status === 200 ? undefined : new Error(`${request.url} answers ${status}: ${failing(body)}`);
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Of a page with a line for each check those that fail; else its beginning. */
function failing(body: string): string {
  const checks = body.split('\n').filter((line) => line.startsWith('[-]'));
  return (checks.length > 0 ? checks.join(', ') : body.trim()).slice(0, 300);
}
