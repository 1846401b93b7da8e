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
  maxWindowBytes,
  settingIds,
  StreamError,
} from './frames.ts';
import { BlockedStreams } from './blocked-streams.ts';
import type { Frame } from './frames.ts';
import {
  checkDependency,
  hasLength,
  onlyForConnection,
  onlyForStream,
  uint32,
  withoutPadding,
} from './frame-checks.ts';
import { HeaderDecoder, maxHeaderListBytes } from './hpack.ts';
import { OpenHeaders } from './open-headers.ts';
import { Outbox } from './outbox.ts';
import { checkTrailers, contentLengthOf, readRequest } from './request.ts';
import type { Request } from './request.ts';
import { readSettings, writeSettings } from './settings.ts';
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

export class Connection implements StreamHost {
  readonly outbox: Outbox;
  sendWindow = defaultWindowBytes;
  peerMaxFrameBytes = defaultMaxFrameBytes;
  readonly #socket: Duplex;
  readonly #onRequest: OnRequest;
  readonly #reader = new FrameReader();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Stream>();
  readonly #blocked = new BlockedStreams();
  readonly #prefaceTimer: NodeJS.Timeout;
  #peerWindowBytes = defaultWindowBytes;
  #receiveWindow = connectionWindowBytes;
  #lastStreamId = 0;
  #openHeaders: OpenHeaders | undefined;
  #hasPreface = false;
  #hasSettings = false;
  #isEnded = false;
  #isHeld = false;
  #starts = 0;

  constructor(socket: Duplex, onRequest: OnRequest) {
    this.#socket = socket;
    this.#onRequest = onRequest;
    this.outbox = new Outbox(socket);
    this.#prefaceTimer = setTimeout(() => socket.destroy(), prefaceTimeoutMs).unref();
    socket.on('data', (chunk: Buffer) => this.#push(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
    this.#greet();
  }

  get isCongested(): boolean {
    return this.outbox.waitingBytes > congestedBytes;
  }

  /** Says farewell, and closes. */
  close(): void {
    this.#end(errorCodes.noError);
  }

  queued(stream: Stream, bytes: number): void {
    this.#blocked.changed(stream, bytes);
  }

  over(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#blocked.forget(stream);
  }

  #greet(): void {
    const payload = writeSettings([
      [settingIds.maxConcurrentStreams, maxStreams],
      [settingIds.initialWindowSize, streamWindowBytes],
      [settingIds.maxHeaderListSize, maxHeaderListBytes],
    ]);
    this.outbox.frame(frameTypes.settings, 0, 0, payload);
    this.#sendWindowUpdate(0, connectionWindowBytes - defaultWindowBytes);
  }

  #push(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (!this.#isHeld) this.#read();
  }

  #read(): void {
    try {
      if (!this.#hasPreface && !this.#takePreface()) return;
      while (!this.#isEnded && !this.#isHeld) {
        const frame = this.#reader.next();
        if (frame === undefined) return;
        this.#handle(frame);
        if (this.#starts >= maxStartsPerTurn || this.outbox.waitingBytes > overfullBytes) this.#hold();
      }
    } catch (error) {
      this.#end(error instanceof ConnectionError ? error.code : errorCodes.internalError);
    }
  }

  /** Reads no more until the next turn and until the socket has taken what waits. */
  #hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    if (!this.#isHeld || this.outbox.waitingBytes > overfullBytes) return; // then `drained` calls again
    this.#isHeld = false;
    this.#starts = 0;
    this.#socket.resume();
    this.#read();
  }

  #drained(): void {
    for (const stream of this.#streams.values()) stream.tellDrained();
    this.#goOn();
  }

  #takePreface(): boolean {
    const bytes = this.#reader.take(preface.length);
    if (bytes === undefined) return false;
    if (!bytes.equals(preface)) throw new ConnectionError(errorCodes.protocolError, 'not HTTP/2');
    clearTimeout(this.#prefaceTimer);
    this.#hasPreface = true;
    return true;
  }

  #handle(frame: Frame): void {
    const { type } = frame;
    if (!this.#hasSettings && (type !== frameTypes.settings || (frame.flags & flags.ack) !== 0)) {
      throw new ConnectionError(errorCodes.protocolError, 'the first frame is not SETTINGS');
    }
    this.#hasSettings = true;
    if (this.#openHeaders !== undefined && type !== frameTypes.continuation) {
      throw new ConnectionError(errorCodes.protocolError, 'headers are not finished');
    }
    try {
      this.#dispatch(frame);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#resetStream(error);
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.data:
        return this.#onData(frame);
      case frameTypes.headers:
        return this.#onHeaders(frame);
      case frameTypes.priority:
        return this.#onPriority(frame);
      case frameTypes.rstStream:
        return this.#onReset(frame);
      case frameTypes.settings:
        return this.#onSettings(frame);
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocolError, 'PUSH_PROMISE from a client');
      case frameTypes.ping:
        return this.#onPing(frame);
      case frameTypes.goaway:
        return onlyForConnection(frame);
      case frameTypes.windowUpdate:
        return this.#onWindowUpdate(frame);
      case frameTypes.continuation:
        return this.#onContinuation(frame);
      default: // section 5.5: unknown kinds are ignored
    }
  }

  #onData(frame: Frame): void {
    const { streamId, payload } = frame;
    onlyForStream(frame);
    this.#receiveWindow -= payload.length;
    if (this.#receiveWindow < 0) throw new ConnectionError(errorCodes.flowControlError, 'more data than allowed');
    if (this.#receiveWindow < connectionWindowBytes / 2) {
      this.#sendWindowUpdate(0, connectionWindowBytes - this.#receiveWindow);
      this.#receiveWindow = connectionWindowBytes;
    }
    const body = withoutPadding(frame);
    const stream = this.#streamOf(streamId);
    if (stream === undefined || stream.isRemoteClosed) {
      throw new StreamError(streamId, errorCodes.streamClosed, 'data after the end');
    }
    stream.receiveWindow -= payload.length;
    if (stream.receiveWindow < 0) throw new StreamError(streamId, errorCodes.flowControlError, 'too much data');
    if (stream.missingBytes !== undefined) stream.missingBytes -= body.length;
    stream.handler?.data(body);
    if ((frame.flags & flags.endStream) !== 0) stream.remoteEnd();
    else if (stream.receiveWindow < streamWindowBytes / 2) {
      this.#sendWindowUpdate(streamId, streamWindowBytes - stream.receiveWindow);
      stream.receiveWindow = streamWindowBytes;
    }
  }

  #onHeaders(frame: Frame): void {
    const { streamId } = frame;
    onlyForStream(frame);
    let block = withoutPadding(frame);
    if ((frame.flags & flags.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(errorCodes.frameSizeError, 'HEADERS without its priority');
      checkDependency(streamId, block);
      block = block.subarray(5);
    }
    const isLast = (frame.flags & flags.endStream) !== 0;
    if ((frame.flags & flags.endHeaders) !== 0) this.#begin(streamId, block, isLast);
    else this.#openHeaders = new OpenHeaders(streamId, isLast, block);
  }

  #onContinuation({ streamId, flags: bits, payload }: Frame): void {
    const open = this.#openHeaders;
    if (open === undefined || open.streamId !== streamId) {
      throw new ConnectionError(errorCodes.protocolError, 'CONTINUATION of nothing');
    }
    open.add(payload);
    if ((bits & flags.endHeaders) === 0) return;
    this.#openHeaders = undefined;
    this.#begin(streamId, open.block(), open.isLast);
  }

  /** A request's headers are whole, or its trailers. */
  #begin(streamId: number, block: Buffer, isLast: boolean): void {
    const fields = this.#decoder.decode(block); // always, or the table goes astray
    const known = this.#streams.get(streamId);
    if (known !== undefined) {
      if (known.isRemoteClosed) throw new StreamError(streamId, errorCodes.streamClosed, 'headers after the end');
      if (!isLast) throw new StreamError(streamId, errorCodes.protocolError, 'trailers that are not the end');
      checkTrailers(streamId, fields);
      known.remoteEnd();
      return;
    }
    if (streamId % 2 === 0) throw new ConnectionError(errorCodes.protocolError, 'a stream that clients cannot open');
    if (streamId <= this.#lastStreamId) throw new ConnectionError(errorCodes.streamClosed, 'a stream that is closed');
    this.#lastStreamId = streamId;
    this.#starts += 1;
    if (this.#streams.size >= maxStreams) {
      throw new StreamError(streamId, errorCodes.refusedStream, `more than ${maxStreams} streams`);
    }
    if (this.#blocked.sizeBytes > maxQueuedBytes) {
      throw new StreamError(streamId, errorCodes.refusedStream, 'too much of the earlier answers is not read yet');
    }
    const request = readRequest(streamId, fields);
    const stream = new Stream(this, streamId, this.#peerWindowBytes, streamWindowBytes);
    stream.missingBytes = contentLengthOf(streamId, request);
    this.#streams.set(streamId, stream);
    stream.handler = this.#onRequest(request, stream);
    if (isLast) stream.remoteEnd();
  }

  #onPriority(frame: Frame): void {
    onlyForStream(frame);
    const { streamId, payload } = frame;
    if (payload.length !== 5) throw new StreamError(streamId, errorCodes.frameSizeError, 'PRIORITY of another length');
    checkDependency(streamId, payload);
  }

  #onReset(frame: Frame): void {
    onlyForStream(frame);
    hasLength(frame, 4);
    this.#streamOf(frame.streamId)?.close();
  }

  #onSettings(frame: Frame): void {
    onlyForConnection(frame);
    const { payload } = frame;
    if ((frame.flags & flags.ack) !== 0) {
      hasLength(frame, 0);
      return;
    }
    const { maxFrameBytes, windowBytes } = readSettings(payload);
    if (maxFrameBytes !== undefined) this.peerMaxFrameBytes = maxFrameBytes;
    if (windowBytes !== undefined) {
      this.#resizeWindows(windowBytes - this.#peerWindowBytes);
      this.#peerWindowBytes = windowBytes;
    }
    this.outbox.frame(frameTypes.settings, flags.ack, 0, Buffer.alloc(0));
    this.#blocked.pump(); // windows may have grown
  }

  /** Section 6.9.2: the change counts for the streams that are open too. */
  #resizeWindows(byBytes: number): void {
    try {
      for (const stream of this.#streams.values()) stream.widen(byBytes);
    } catch {
      throw new ConnectionError(errorCodes.flowControlError, 'a window beyond 2^31 - 1');
    }
  }

  #onPing(frame: Frame): void {
    onlyForConnection(frame);
    hasLength(frame, 8);
    if ((frame.flags & flags.ack) === 0) this.outbox.lateFrame(frameTypes.ping, flags.ack, 0, frame.payload);
  }

  #onWindowUpdate(frame: Frame): void {
    hasLength(frame, 4);
    const { streamId } = frame;
    const bytes = frame.payload.readUInt32BE(0) & maxWindowBytes;
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionError(errorCodes.protocolError, 'a window update of 0');
      this.sendWindow += bytes;
      if (this.sendWindow > maxWindowBytes) {
        throw new ConnectionError(errorCodes.flowControlError, 'a window beyond 2^31 - 1');
      }
      this.#blocked.pump();
      return;
    }
    const stream = this.#streamOf(streamId);
    if (bytes === 0) throw new StreamError(streamId, errorCodes.protocolError, 'a window update of 0');
    if (stream === undefined) return;
    stream.widen(bytes);
    this.#blocked.pumpStream(stream);
  }

  /** @returns undefined for one that is closed. @throws {ConnectionError} for one that never was opened */
  #streamOf(streamId: number): Stream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream === undefined && (streamId > this.#lastStreamId || streamId % 2 === 0)) {
      throw new ConnectionError(errorCodes.protocolError, `stream ${streamId} is not open`);
    }
    return stream;
  }

  #resetStream({ streamId, code }: StreamError): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) stream.reset(code);
    else this.outbox.frame(frameTypes.rstStream, 0, streamId, uint32(code));
  }

  #sendWindowUpdate(streamId: number, bytes: number): void {
    this.outbox.frame(frameTypes.windowUpdate, 0, streamId, uint32(bytes));
  }

  /** GOAWAY, and the end of the socket once that is on its way. */
  #end(code: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.outbox.frame(frameTypes.goaway, 0, 0, Buffer.concat([uint32(this.#lastStreamId), uint32(code)]));
    this.outbox.flush();
    this.#socket.end(() => this.#socket.destroy());
    // Whoever does not read its last words is not waited for.
    setTimeout(() => this.#socket.destroy(), 1000).unref();
  }

  #closed(): void {
    this.#isEnded = true;
    clearTimeout(this.#prefaceTimer);
    for (const stream of this.#streams.values()) stream.close();
  }
}
