import { WebSocket } from 'ws';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import { verified } from '../../shared/http/http.ts';
import { plainLine } from '../../shared/plain-text/plain-text.ts';
import {
  heartbeatEveryMs,
  channelPath,
  channelProtocol,
  FromServer,
  maxMessageBytes,
  maxReasonChars,
  maxResultChars,
  readMessage,
  silenceMs,
} from '../../shared/protocol/channel.ts';
import type { Command, FromAgent, ServerAddress } from '../../shared/protocol/channel.ts';
import { dialBack } from './dial-back.ts';
import type { ChannelOptions, ChannelTls } from './types.ts';
import { readBytes } from '../../shared/files/files.ts';

const handshakeTimeoutMs = 10_000;
const closeWithinMs = 1000;

export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** What a server says when it lets the node in. */
export interface Welcomed {
  /** Its name; undefined for a server of an earlier version. */
  readonly server?: string | undefined;
  readonly servers: readonly ServerAddress[];
}

export interface ConnectionOptions extends ChannelOptions {
  readonly onWelcome: (welcomed: Welcomed) => void;
}

/** One websocket, from its first packet to its last. */
export class Connection {
  readonly #url: string;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  readonly #sentAtMs = new Map<number, number>();
  #seq = 0;
  #clockSkewMs: number | undefined;
  #roundTripMs: number | undefined;
  #silence: NodeJS.Timeout | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  #failure = '';

  constructor(url: string, options: ConnectionOptions) {
    this.#url = url;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#socket = new WebSocket(`${url.replace(/^https/, 'wss')}${channelPath}`, [channelProtocol], {
      ...tlsOf(options),
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
    });
    this.#socket.on('open', () => {
      this.#hear();
      this.#attempt(() => this.#send(options.hello()));
    });
    this.#socket.on('message', (data: Buffer) => {
      this.#hear();
      const message = readMessage(FromServer, data.toString('utf8'));
      if (message !== undefined) this.#attempt(() => this.#handle(message)); // else it is of a newer version
    });
    this.#socket.on('error', (error) => (this.#failure = messageOf(error)));
  }

  /** Resolves with the end, however it comes. */
  async ended(signal: AbortSignal): Promise<Ending> {
    const stop = () => {
      this.#socket.close(1000);
      setTimeout(() => this.#socket.terminate(), closeWithinMs).unref(); // the other end may have no power
    };
    signal.addEventListener('abort', stop, { once: true });
    const ending = await new Promise<Ending>((resolve) => {
      this.#socket.once('close', (code: number, reason: Buffer) => {
        const said = plainLine(reason.toString('utf8')) || this.#failure || `the connection ended (${code})`;
        resolve({ code, reason: said });
      });
    });
    signal.removeEventListener('abort', stop);
    clearTimeout(this.#silence);
    clearInterval(this.#heartbeats);
    return ending;
  }

  heartbeatNow(): void {
    if (this.#heartbeats !== undefined) void this.#heartbeat();
  }

  /** Whoever has heard nothing for too long gives up: TCP alone would wait for a quarter of an hour. */
  #hear(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#failure = `nothing was heard for ${silenceMs / 1000} s`;
      this.#socket.terminate();
    }, silenceMs);
  }

  /** What goes wrong here, such as a disk that is full, is no reason to end. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.warn('a message of the channel was not handled', { error });
    }
  }

  #handle(message: FromServer): void {
    const { log, onWelcome, onServers } = this.#options;
    switch (message.type) {
      case 'welcome':
        onWelcome(message);
        this.#heartbeats ??= setInterval(() => void this.#heartbeat(), heartbeatEveryMs);
        void this.#heartbeat();
        return;
      case 'ack':
        this.#measure(message.seq, message.nowMs);
        return;
      case 'servers':
        onServers(message.servers);
        return;
      case 'command':
        void this.#carryOut(message.id, message.command);
        return;
      case 'open':
        void this.#open(message).catch((error: unknown) => {
          log.debug('a stream was not opened', { host: message.host, port: message.port, error });
          this.#send({ type: 'open-failed', id: message.id, reason: messageOf(error).slice(0, maxReasonChars) });
        });
    }
  }

  async #heartbeat(): Promise<void> {
    try {
      const seen = await this.#options.look();
      const seq = ++this.#seq;
      this.#sentAtMs.set(seq, this.#clock.now());
      this.#send({
        type: 'beat',
        seq,
        ...seen,
        ...(this.#clockSkewMs !== undefined && { clockSkewMs: this.#clockSkewMs }),
        ...(this.#roundTripMs !== undefined && { roundTripMs: this.#roundTripMs }),
      });
    } catch (error) {
      this.#options.log.warn('a heartbeat was not sent', { error });
    }
  }

  /** As NTP: the answer was made in the middle of the round trip. */
  #measure(seq: number, serverNowMs: number): void {
    const sentMs = this.#sentAtMs.get(seq);
    if (sentMs === undefined) return;
    for (const older of this.#sentAtMs.keys()) if (older <= seq) this.#sentAtMs.delete(older);
    const nowMs = this.#clock.now();
    const isFirst = this.#clockSkewMs === undefined;
    this.#roundTripMs = nowMs - sentMs;
    this.#clockSkewMs = Math.round((sentMs + nowMs) / 2 - serverNowMs);
    if (isFirst) this.heartbeatNow(); // so that the first figure is not five seconds late
  }

  async #carryOut(id: string, command: Command): Promise<void> {
    try {
      const text = (await this.#options.carryOut(command)).slice(-maxResultChars); // of logs the newest
      this.#send({ type: 'result', id, ok: true, text });
    } catch (error) {
      this.#send({ type: 'result', id, ok: false, text: messageOf(error).slice(0, maxReasonChars) });
    }
  }

  async #open({
    id,
    host,
    port,
  }: {
    readonly id: string;
    readonly host: string;
    readonly port: number;
  }): Promise<void> {
    if (!this.#options.mayDial(host)) throw new Error(`${host} is neither this node nor one of its pods`);
    await dialBack({ url: this.#url, id, host, port, tls: tlsOf(this.#options) });
  }

  #send(message: FromAgent): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

function tlsOf({ credentials }: ChannelOptions): ChannelTls {
  const { caPath, certPath, keyPath } = credentials();
  return { ca: readBytes(caPath), cert: readBytes(certPath), key: readBytes(keyPath), ...verified };
}
