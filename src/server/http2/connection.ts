/**
 * @module
 * One client's connection: frames in, streams opened and closed, windows kept on both sides.
 * Spec: RFC 9113.
 */
import type { Duplex } from 'node:stream';
import {
  ConnectionError,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flags,
  FrameReader,
  frameTypes,
  maxMaxFrameBytes,
  maxWindowBytes,
  settingIds,
  StreamError,
} from './frames.ts';
import type { Frame } from './frames.ts';
import { HeaderDecoder, maxHeaderListBytes } from './hpack.ts';
import { Outbox } from './outbox.ts';
import { checkTrailers, contentLengthOf, readRequest } from './request.ts';
import type { Request } from './request.ts';
import { Stream } from './stream.ts';
import type { RequestHandler, ResponseStream, StreamHost } from './stream.ts';

export type OnRequest = (request: Request, response: ResponseStream) => RequestHandler;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** How long a client may take to say that it speaks HTTP/2. */
const prefaceTimeoutMs = 10_000;
const streamWindowBytes = 1 << 20;
const connectionWindowBytes = 16 << 20;
/** Open at a time: each watch stream is one. */
const maxStreams = 20_000;
/** Requests that are begun in one turn, so that others get theirs and answers are counted before more is asked. */
const maxStartsPerTurn = 64;
/** What the socket may have waiting before streams are told to hold on, and before nothing more is read. */
const congestedBytes = 2 << 20;
const overfullBytes = 8 << 20;
/** What may wait for the peer's windows before its new requests are refused. */
const maxQueuedBytes = 64 << 20;

/** Headers that go on in CONTINUATION frames. */
interface OpenHeaders {
  readonly streamId: number;
  readonly isLast: boolean;
  readonly parts: Buffer[];
  sizeBytes: number;
}

export class Connection implements StreamHost {
  readonly outbox: Outbox;
  sendWindow = defaultWindowBytes;
  peerMaxFrameBytes = defaultMaxFrameBytes;
  private readonly socket: Duplex;
  private readonly onRequest: OnRequest;
  private readonly reader = new FrameReader();
  private readonly decoder = new HeaderDecoder();
  private readonly streams = new Map<number, Stream>();
  /** Those with data that waits for a window. */
  private readonly blocked = new Set<Stream>();
  private readonly prefaceTimer: NodeJS.Timeout;
  private queuedBytes = 0;
  private peerWindowBytes = defaultWindowBytes;
  private receiveWindow = connectionWindowBytes;
  private lastStreamId = 0;
  private openHeaders: OpenHeaders | undefined;
  private hasPreface = false;
  private hasSettings = false;
  private isEnded = false;
  private isHeld = false;
  private starts = 0;

  constructor(socket: Duplex, onRequest: OnRequest) {
    this.socket = socket;
    this.onRequest = onRequest;
    this.outbox = new Outbox(socket);
    this.prefaceTimer = setTimeout(() => socket.destroy(), prefaceTimeoutMs).unref();
    socket.on('data', (chunk: Buffer) => this.push(chunk));
    socket.on('drain', () => this.drained());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.closed());
    this.greet();
  }

  get isCongested(): boolean {
    return this.outbox.waitingBytes > congestedBytes;
  }

  /** Says farewell, and closes. */
  close(): void {
    this.end(errorCodes.noError);
  }

  queued(stream: Stream, bytes: number): void {
    this.queuedBytes += bytes;
    if (bytes > 0) this.blocked.add(stream);
  }

  over(stream: Stream): void {
    this.streams.delete(stream.id);
    this.blocked.delete(stream);
  }

  private greet(): void {
    const settings = [
      [settingIds.maxConcurrentStreams, maxStreams],
      [settingIds.initialWindowSize, streamWindowBytes],
      [settingIds.maxHeaderListSize, maxHeaderListBytes],
    ] as const;
    const payload = Buffer.alloc(6 * settings.length);
    settings.forEach(([setting, value], at) => payload.writeUInt32BE(value, payload.writeUInt16BE(setting, 6 * at)));
    this.outbox.frame(frameTypes.settings, 0, 0, payload);
    this.sendWindowUpdate(0, connectionWindowBytes - defaultWindowBytes);
  }

  private push(chunk: Buffer): void {
    this.reader.push(chunk);
    if (!this.isHeld) this.read();
  }

  private read(): void {
    try {
      if (!this.hasPreface && !this.takePreface()) return;
      while (!this.isEnded && !this.isHeld) {
        const frame = this.reader.next();
        if (frame === undefined) return;
        this.handle(frame);
        if (this.starts >= maxStartsPerTurn || this.outbox.waitingBytes > overfullBytes) this.hold();
      }
    } catch (error) {
      this.end(error instanceof ConnectionError ? error.code : errorCodes.internalError);
    }
  }

  /** Reads no more until the next turn and until the socket has taken what waits. */
  private hold(): void {
    this.isHeld = true;
    this.socket.pause();
    setImmediate(() => this.goOn());
  }

  private goOn(): void {
    if (!this.isHeld || this.outbox.waitingBytes > overfullBytes) return; // then `drained` calls again
    this.isHeld = false;
    this.starts = 0;
    this.socket.resume();
    this.read();
  }

  private drained(): void {
    for (const stream of this.streams.values()) stream.tellDrained();
    this.goOn();
  }

  private takePreface(): boolean {
    const bytes = this.reader.take(preface.length);
    if (bytes === undefined) return false;
    if (!bytes.equals(preface)) throw new ConnectionError(errorCodes.protocolError, 'not HTTP/2');
    clearTimeout(this.prefaceTimer);
    this.hasPreface = true;
    return true;
  }

  private handle(frame: Frame): void {
    const { type } = frame;
    if (!this.hasSettings && (type !== frameTypes.settings || (frame.flags & flags.ack) !== 0)) {
      throw new ConnectionError(errorCodes.protocolError, 'the first frame is not SETTINGS');
    }
    this.hasSettings = true;
    if (this.openHeaders !== undefined && type !== frameTypes.continuation) {
      throw new ConnectionError(errorCodes.protocolError, 'headers are not finished');
    }
    try {
      this.dispatch(frame);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.resetStream(error);
    }
  }

  private dispatch(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.data:
        return this.onData(frame);
      case frameTypes.headers:
        return this.onHeaders(frame);
      case frameTypes.priority:
        return this.onPriority(frame);
      case frameTypes.rstStream:
        return this.onReset(frame);
      case frameTypes.settings:
        return this.onSettings(frame);
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocolError, 'PUSH_PROMISE from a client');
      case frameTypes.ping:
        return this.onPing(frame);
      case frameTypes.goaway:
        return onlyForConnection(frame);
      case frameTypes.windowUpdate:
        return this.onWindowUpdate(frame);
      case frameTypes.continuation:
        return this.onContinuation(frame);
      default: // section 5.5: unknown kinds are ignored
    }
  }

  private onData(frame: Frame): void {
    const { streamId, payload } = frame;
    onlyForStream(frame);
    this.receiveWindow -= payload.length;
    if (this.receiveWindow < 0) throw new ConnectionError(errorCodes.flowControlError, 'more data than allowed');
    if (this.receiveWindow < connectionWindowBytes / 2) {
      this.sendWindowUpdate(0, connectionWindowBytes - this.receiveWindow);
      this.receiveWindow = connectionWindowBytes;
    }
    const body = withoutPadding(frame);
    const stream = this.streamOf(streamId);
    if (stream === undefined || stream.isRemoteClosed) {
      throw new StreamError(streamId, errorCodes.streamClosed, 'data after the end');
    }
    stream.receiveWindow -= payload.length;
    if (stream.receiveWindow < 0) throw new StreamError(streamId, errorCodes.flowControlError, 'too much data');
    if (stream.missingBytes !== undefined) stream.missingBytes -= body.length;
    stream.handler?.data(body);
    if ((frame.flags & flags.endStream) !== 0) stream.remoteEnd();
    else if (stream.receiveWindow < streamWindowBytes / 2) {
      this.sendWindowUpdate(streamId, streamWindowBytes - stream.receiveWindow);
      stream.receiveWindow = streamWindowBytes;
    }
  }

  private onHeaders(frame: Frame): void {
    const { streamId } = frame;
    onlyForStream(frame);
    let block = withoutPadding(frame);
    if ((frame.flags & flags.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(errorCodes.frameSizeError, 'HEADERS without its priority');
      this.checkDependency(streamId, block);
      block = block.subarray(5);
    }
    const isLast = (frame.flags & flags.endStream) !== 0;
    if ((frame.flags & flags.endHeaders) !== 0) this.begin(streamId, block, isLast);
    else this.openHeaders = { streamId, isLast, parts: [Buffer.from(block)], sizeBytes: block.length };
  }

  private onContinuation({ streamId, flags: bits, payload }: Frame): void {
    const open = this.openHeaders;
    if (open === undefined || open.streamId !== streamId) {
      throw new ConnectionError(errorCodes.protocolError, 'CONTINUATION of nothing');
    }
    open.parts.push(Buffer.from(payload));
    open.sizeBytes += payload.length;
    if (open.sizeBytes > maxHeaderListBytes || open.parts.length > 64) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'headers without end');
    }
    if ((bits & flags.endHeaders) === 0) return;
    this.openHeaders = undefined;
    this.begin(streamId, Buffer.concat(open.parts), open.isLast);
  }

  /** A request's headers are whole, or its trailers. */
  private begin(streamId: number, block: Buffer, isLast: boolean): void {
    const fields = this.decoder.decode(block); // always, or the table goes astray
    const known = this.streams.get(streamId);
    if (known !== undefined) {
      if (known.isRemoteClosed) throw new StreamError(streamId, errorCodes.streamClosed, 'headers after the end');
      if (!isLast) throw new StreamError(streamId, errorCodes.protocolError, 'trailers that are not the end');
      checkTrailers(streamId, fields);
      known.remoteEnd();
      return;
    }
    if (streamId % 2 === 0) throw new ConnectionError(errorCodes.protocolError, 'a stream that clients cannot open');
    if (streamId <= this.lastStreamId) throw new ConnectionError(errorCodes.streamClosed, 'a stream that is closed');
    this.lastStreamId = streamId;
    this.starts += 1;
    if (this.streams.size >= maxStreams) {
      throw new StreamError(streamId, errorCodes.refusedStream, `more than ${maxStreams} streams`);
    }
    if (this.queuedBytes > maxQueuedBytes) {
      throw new StreamError(streamId, errorCodes.refusedStream, 'too much of the earlier answers is not read yet');
    }
    const request = readRequest(streamId, fields);
    const stream = new Stream(this, streamId, this.peerWindowBytes, streamWindowBytes);
    stream.missingBytes = contentLengthOf(streamId, request);
    this.streams.set(streamId, stream);
    stream.handler = this.onRequest(request, stream);
    if (isLast) stream.remoteEnd();
  }

  private onPriority(frame: Frame): void {
    onlyForStream(frame);
    const { streamId, payload } = frame;
    if (payload.length !== 5) throw new StreamError(streamId, errorCodes.frameSizeError, 'PRIORITY of another length');
    this.checkDependency(streamId, payload);
  }

  private checkDependency(streamId: number, payload: Buffer): void {
    if ((payload.readUInt32BE(0) & maxWindowBytes) === streamId) {
      throw new StreamError(streamId, errorCodes.protocolError, 'a stream that depends on itself');
    }
  }

  private onReset(frame: Frame): void {
    onlyForStream(frame);
    hasLength(frame, 4);
    this.streamOf(frame.streamId)?.close();
  }

  private onSettings(frame: Frame): void {
    onlyForConnection(frame);
    const { payload } = frame;
    if ((frame.flags & flags.ack) !== 0) {
      hasLength(frame, 0);
      return;
    }
    if (payload.length % 6 !== 0) throw new ConnectionError(errorCodes.frameSizeError, 'SETTINGS of another length');
    for (let at = 0; at < payload.length; at += 6) {
      this.apply(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.outbox.frame(frameTypes.settings, flags.ack, 0, nothing);
    this.pump(); // windows may have grown
  }

  private apply(setting: number, value: number): void {
    if (setting === settingIds.enablePush && value > 1) {
      throw new ConnectionError(errorCodes.protocolError, `ENABLE_PUSH ${value}`);
    } else if (setting === settingIds.maxFrameSize) {
      if (value < defaultMaxFrameBytes || value > maxMaxFrameBytes) {
        throw new ConnectionError(errorCodes.protocolError, `MAX_FRAME_SIZE ${value}`);
      }
      this.peerMaxFrameBytes = value;
    } else if (setting === settingIds.initialWindowSize) {
      if (value > maxWindowBytes)
        throw new ConnectionError(errorCodes.flowControlError, `INITIAL_WINDOW_SIZE ${value}`);
      this.resizeWindows(value - this.peerWindowBytes);
      this.peerWindowBytes = value;
    }
  }

  /** Section 6.9.2: the change counts for the streams that are open too. */
  private resizeWindows(byBytes: number): void {
    try {
      for (const stream of this.streams.values()) stream.widen(byBytes);
    } catch {
      throw new ConnectionError(errorCodes.flowControlError, 'a window beyond 2^31 - 1');
    }
  }

  private onPing(frame: Frame): void {
    onlyForConnection(frame);
    hasLength(frame, 8);
    if ((frame.flags & flags.ack) === 0) this.outbox.frame(frameTypes.ping, flags.ack, 0, frame.payload);
  }

  private onWindowUpdate(frame: Frame): void {
    hasLength(frame, 4);
    const { streamId } = frame;
    const bytes = frame.payload.readUInt32BE(0) & maxWindowBytes;
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionError(errorCodes.protocolError, 'a window update of 0');
      this.sendWindow += bytes;
      if (this.sendWindow > maxWindowBytes) {
        throw new ConnectionError(errorCodes.flowControlError, 'a window beyond 2^31 - 1');
      }
      this.pump();
      return;
    }
    const stream = this.streamOf(streamId);
    if (bytes === 0) throw new StreamError(streamId, errorCodes.protocolError, 'a window update of 0');
    stream?.widen(bytes);
    while (stream?.pump() === true);
    if (stream?.hasQueued === false) this.blocked.delete(stream);
  }

  /** One frame of each stream that waits, and again, until nothing more goes. */
  private pump(): void {
    for (let hasSent = true; hasSent && this.sendWindow > 0;) {
      hasSent = false;
      for (const stream of this.blocked) {
        hasSent = stream.pump() || hasSent;
        if (!stream.hasQueued) this.blocked.delete(stream);
      }
    }
  }

  /** @returns undefined for one that is closed. @throws {ConnectionError} for one that never was opened */
  private streamOf(streamId: number): Stream | undefined {
    const stream = this.streams.get(streamId);
    if (stream === undefined && (streamId > this.lastStreamId || streamId % 2 === 0)) {
      throw new ConnectionError(errorCodes.protocolError, `stream ${streamId} is not open`);
    }
    return stream;
  }

  private resetStream({ streamId, code }: StreamError): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) stream.reset(code);
    else this.outbox.frame(frameTypes.rstStream, 0, streamId, uint32(code));
  }

  private sendWindowUpdate(streamId: number, bytes: number): void {
    this.outbox.frame(frameTypes.windowUpdate, 0, streamId, uint32(bytes));
  }

  /** GOAWAY, and the end of the socket once that is on its way. */
  private end(code: number): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.outbox.frame(frameTypes.goaway, 0, 0, Buffer.concat([uint32(this.lastStreamId), uint32(code)]));
    this.outbox.flush();
    this.socket.end(() => this.socket.destroy());
    // Whoever does not read its last words is not waited for.
    setTimeout(() => this.socket.destroy(), 1000).unref();
  }

  private closed(): void {
    this.isEnded = true;
    clearTimeout(this.prefaceTimer);
    for (const stream of this.streams.values()) stream.close();
  }
}

const nothing = Buffer.alloc(0);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Section 6.1. */
function withoutPadding({ flags: bits, payload }: Frame): Buffer {
  if ((bits & flags.padded) === 0) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ConnectionError(errorCodes.protocolError, 'more padding than payload');
  return payload.subarray(1, payload.length - padding);
}

function onlyForConnection({ streamId }: Frame): void {
  if (streamId !== 0) throw new ConnectionError(errorCodes.protocolError, 'a frame for the connection names a stream');
}

function onlyForStream({ streamId }: Frame): void {
  if (streamId === 0) throw new ConnectionError(errorCodes.protocolError, 'a frame for a stream names none');
}

function hasLength({ payload }: Frame, length: number): void {
  if (payload.length !== length)
    throw new ConnectionError(errorCodes.frameSizeError, `a frame of ${payload.length} bytes`);
}
