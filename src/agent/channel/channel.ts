/**
 * @module
 * The agent's connection to a server: beats out, commands and streams in, again and again with back-off.
 * Knows: the websocket, deadlines, which server to try next, the clock's skew. Leaves to others: what a beat says
 * (beat.ts), carrying out (commands.ts), which node this is (join/).
 *
 *   waiting ──▶ connecting ──hello, welcome──▶ connected ──silence, close──▶ waiting (back-off with jitter)
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { conditionTracker, type Component } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import {
  beatEveryMs,
  channelPath,
  channelProtocol,
  closeCodes,
  FromServer,
  maxMessageBytes,
  readMessage,
  silenceMs,
  type Beat,
  type Command,
  type FromAgent,
  type Hello,
  type ServerAddress,
} from '../../shared/protocol/channel.ts';
import { bringStream } from './bring-stream.ts';

export interface ChannelOptions {
  readonly after: readonly string[];
  /** `https://host:port` of every supervisor that is known, the one to try first in front. */
  readonly supervisorUrls: () => readonly string[];
  /** Read at each connection: a renewed certificate is taken up by the next one. */
  readonly credentials: () => { readonly caPath: string; readonly certPath: string; readonly keyPath: string };
  readonly hello: () => Hello;
  /** What is so now; the channel adds what it knows itself. */
  readonly look: () => Promise<Omit<Beat, 'type' | 'seq' | 'clockSkewMs' | 'roundTripMs'>>;
  /** @returns the answer for a person. @throws what is told them instead */
  readonly carryOut: (command: Command) => Promise<string>;
  /** Whether the server may have a stream to this address: the node's own, or a pod's. */
  readonly mayDial: (host: string) => boolean;
  readonly onServers: (servers: readonly ServerAddress[]) => void;
  /** The server does not know this node (any more). */
  readonly onNotJoined: () => Promise<void>;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Channel extends Component {
  /** Something has changed: the next beat goes now. */
  beatNow(): void;
}

const firstWaitMs = 200;
const longestWaitMs = 15_000;
/** A connection that lived so long was a good one: the next failure waits little again. */
const goodAfterMs = 10_000;
const handshakeTimeoutMs = 10_000;
const closeWithinMs = 1000;

/** Ready at once: a box does its work without its server too. */
export function createChannel(options: ChannelOptions): Channel {
  const { after, supervisorUrls, log, clock = systemClock } = options;
  const condition = conditionTracker();
  let stopping = new AbortController();
  let connection: Connection | undefined;
  let work = Promise.resolve();

  const serve = async (signal: AbortSignal): Promise<void> => {
    for (let waitMs = firstWaitMs, attempt = 0; !signal.aborted; attempt++) {
      const urls = supervisorUrls();
      const url = urls[attempt % urls.length] ?? '';
      const bornMs = clock.monotonicMs();
      connection = new Connection(url, options, () => {
        condition.set('True', 'Connected', '');
        log.info('connected to the server', { url });
      });
      const ending = await connection.ended(signal);
      connection = undefined;
      if (signal.aborted) return;
      if (clock.monotonicMs() - bornMs >= goodAfterMs) waitMs = firstWaitMs;
      if (condition.current().status !== 'False')
        log.warn('no connection to the server', { url, reason: ending.reason });
      condition.set('False', 'NotConnected', `${url}: ${ending.reason}`);
      if (ending.code === closeCodes.notJoined) await options.onNotJoined();
      // Full jitter: nodes that lost one server together do not come back together.
      await delay(Math.random() * waitMs, undefined, { signal }).catch(() => {}); // only the stop ends it early
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
  };

  return {
    name: 'channel',
    after,
    async start() {
      stopping = new AbortController();
      work = serve(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    beatNow: () => connection?.beatNow(),
  };
}

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** One websocket, from its first packet to its last. */
class Connection {
  readonly #url: string;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  readonly #onWelcome: () => void;
  readonly #sentAtMs = new Map<number, number>();
  #seq = 0;
  #clockSkewMs: number | undefined;
  #roundTripMs: number | undefined;
  #silence: NodeJS.Timeout | undefined;
  #beats: NodeJS.Timeout | undefined;
  #failure = '';

  constructor(url: string, options: ChannelOptions, onWelcome: () => void) {
    this.#url = url;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#onWelcome = onWelcome;
    this.#socket = new WebSocket(`${url.replace(/^https/, 'wss')}${channelPath}`, [channelProtocol], {
      ...tlsOf(options),
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
    });
    this.#socket.on('open', () => {
      this.#send(options.hello());
      this.#hear();
    });
    this.#socket.on('message', (data: Buffer) => {
      this.#hear();
      const message = readMessage(FromServer, data.toString('utf8'));
      if (message !== undefined) this.#handle(message); // else it is of a newer version
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
        const said = reason.toString('utf8') || this.#failure || `the connection ended (${code})`;
        resolve({ code, reason: said });
      });
    });
    signal.removeEventListener('abort', stop);
    clearTimeout(this.#silence);
    clearInterval(this.#beats);
    return ending;
  }

  beatNow(): void {
    if (this.#beats !== undefined) void this.#beat();
  }

  /** Whoever has heard nothing for too long gives up: TCP alone would wait for a quarter of an hour. */
  #hear(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#failure = `nothing was heard for ${silenceMs / 1000} s`;
      this.#socket.terminate();
    }, silenceMs);
  }

  #handle(message: FromServer): void {
    const { log, onServers } = this.#options;
    switch (message.type) {
      case 'welcome':
        this.#onWelcome();
        onServers(message.servers);
        this.#beats ??= setInterval(() => void this.#beat(), beatEveryMs);
        void this.#beat();
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
          this.#send({ type: 'open-failed', id: message.id, reason: messageOf(error) });
        });
    }
  }

  async #beat(): Promise<void> {
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
      this.#options.log.warn('a beat was not sent', { error });
    }
  }

  /** As NTP: the answer was made in the middle of its way. */
  #measure(seq: number, serverNowMs: number): void {
    const sentMs = this.#sentAtMs.get(seq);
    if (sentMs === undefined) return;
    for (const older of this.#sentAtMs.keys()) if (older <= seq) this.#sentAtMs.delete(older);
    const nowMs = this.#clock.now();
    const isFirst = this.#clockSkewMs === undefined;
    this.#roundTripMs = nowMs - sentMs;
    this.#clockSkewMs = Math.round((sentMs + nowMs) / 2 - serverNowMs);
    if (isFirst) this.beatNow(); // so that the first figure is not five seconds late
  }

  async #carryOut(id: string, command: Command): Promise<void> {
    try {
      this.#send({ type: 'result', id, ok: true, text: await this.#options.carryOut(command) });
    } catch (error) {
      this.#send({ type: 'result', id, ok: false, text: messageOf(error) });
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
    await bringStream({ url: this.#url, id, host, port, tls: tlsOf(this.#options) });
  }

  #send(message: FromAgent): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

export interface ChannelTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

function tlsOf({ credentials }: ChannelOptions): ChannelTls {
  const { caPath, certPath, keyPath } = credentials();
  return { ca: readFileSync(caPath), cert: readFileSync(certPath), key: readFileSync(keyPath) };
}

export { createLook, factsOf, type LookOptions } from './beat.ts';
export { NodeRemovedError } from './errors.ts';
export { createCommands, type CommandsOptions } from './commands.ts';
