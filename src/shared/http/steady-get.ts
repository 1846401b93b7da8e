import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { minVersion, verified } from './agents.ts';
import type { TlsCredentials } from './agents.ts';

/** Far more than what answers whether all is well. */
const maxReplyBytes = 16 * 1024;

export interface SteadyReply {
  readonly status: number;
  readonly body: string;
}

/**
 * One GET that is asked again and again, over one connection. The same bytes are sent each time, and an answer whose length is
 * said is read as it is: a tenth of the CPU time that Node's client takes for it, whose code is cold each time
 * (docs/decisions/0037-node-process.md). Whatever is not that simple is left to that client.
 */
export class SteadyGet {
  readonly #url: URL;
  readonly #tls: TlsCredentials | undefined;
  readonly #request: string;
  #socket: Socket | undefined;
  #asking: Asking | undefined;

  /** @param tls for `https:` */
  constructor(url: string, tls?: TlsCredentials) {
    this.#url = new URL(url);
    this.#tls = tls;
    this.#request = `GET ${this.#url.pathname}${this.#url.search} HTTP/1.1\r\nHost: ${this.#url.host}\r\n\r\n`;
  }

  /**
   * @returns undefined where the answer is not so simple, or nobody was reached: `httpRequest` is to be asked, and says what it is
   * @throws the reason of `signal`
   */
  ask(signal: AbortSignal): Promise<SteadyReply | undefined> {
    signal.throwIfAborted();
    if (this.#asking !== undefined) return Promise.resolve(undefined); // one question at a time
    const { promise, resolve, reject } = Promise.withResolvers<SteadyReply | undefined>();
    const giveUp = (): void => {
      this.#asking = undefined;
      this.close(); // what comes later is no answer to the next question
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const answer = (reply: SteadyReply | undefined): void => {
      signal.removeEventListener('abort', giveUp);
      this.#asking = undefined;
      this.#socket?.unref();
      resolve(reply);
    };
    this.#asking = { answer, received: '' };
    this.#socket ??= this.#connected();
    this.#socket.ref();
    this.#socket.write(this.#request);
    return promise;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#asking?.answer(undefined);
  }

  #connected(): Socket {
    const { protocol, hostname, port } = this.#url;
    const host = hostname.replaceAll(/[[\]]/g, '');
    const socket =
      protocol === 'https:'
        ? connectTls({ host, port: Number(port || 443), ...this.#tls, ...verified, minVersion })
        : connectTcp({ host, port: Number(port || 80) });
    socket.setNoDelay(true);
    socket.setEncoding('latin1'); // a character is a byte
    socket.on('data', (text: string) => this.#read(socket, text));
    socket.on('error', () => {}); // its close says the same
    socket.once('close', () => this.#lost(socket));
    return socket;
  }

  #read(socket: Socket, text: string): void {
    const asking = this.#asking;
    if (asking === undefined || socket !== this.#socket) return void socket.destroy();
    asking.received += text;
    const reply = simpleReply(asking.received);
    if (reply === 'other') socket.destroy();
    else if (reply !== 'more') asking.answer(reply);
  }

  #lost(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#asking?.answer(undefined);
  }
}

interface Asking {
  readonly answer: (reply: SteadyReply | undefined) => void;
  received: string;
}

/** The answer, if it is whole; `more` if it can become one, `other` if not. */
function simpleReply(received: string): SteadyReply | 'more' | 'other' {
  const headEnd = received.indexOf('\r\n\r\n');
  if (received.length > maxReplyBytes) return 'other';
  if (headEnd < 0) return 'more';
  const head = received.slice(0, headEnd + 2);
  const status = /^HTTP\/1\.1 ([2-5]\d\d) /.exec(head)?.[1];
  const length = /\r\ncontent-length: *(\d{1,9})\r\n/i.exec(head)?.[1];
  const bodyAt = headEnd + 4;
  const missing = bodyAt + Number(length ?? NaN) - received.length;
  if (status === undefined || Number.isNaN(missing) || missing < 0) return 'other';
  if (missing > 0) return 'more';
  return { status: Number(status), body: Buffer.from(received.slice(bodyAt), 'latin1').toString('utf8') };
}
