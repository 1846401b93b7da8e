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
  frameTypes,
  maxWindowBytes,
  StreamError,
} from './frames.ts';
import { BlockedStreams } from './blocked-streams.ts';
import type { Frame } from './frames.ts';
import { checkPriority, hasLength, onlyForConnection, onlyForStream, uint32, withoutPadding } from './frame-checks.ts';
import { HeaderBlocks } from './header-blocks.ts';
import type { HeaderBlock } from './header-blocks.ts';
import { HeaderDecoder } from './hpack.ts';
import { IncomingFrames } from './incoming.ts';
import { connectionWindowBytes, maxStreams, streamWindowBytes, writeGreeting, writeWindowUpdate } from './limits.ts';
import { Outbox } from './outbox.ts';
import { checkTrailers, contentLengthOf, readRequest } from './request.ts';
import type { Request } from './request.ts';
import { readSettings } from './settings.ts';
import { Stream } from './stream.ts';
import type { RequestHandler, ResponseStream, StreamHost } from './stream.ts';

export type OnRequest = (request: Request, response: ResponseStream) => RequestHandler;

/** What the socket may have waiting before streams are told to hold on. */
const congestedBytes = 2 << 20;
/** What may wait for the peer's windows before its new requests are refused. */
const maxQueuedBytes = 64 << 20;

export class Connection implements StreamHost {
  readonly outbox: Outbox;
  sendWindow = defaultWindowBytes;
  peerMaxFrameBytes = defaultMaxFrameBytes;
  readonly #socket: Duplex;
  readonly #onRequest: OnRequest;
  readonly #incoming: IncomingFrames;
  readonly #headerBlocks = new HeaderBlocks();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Stream>();
  readonly #blocked = new BlockedStreams();
  #peerWindowBytes = defaultWindowBytes;
  #receiveWindow = connectionWindowBytes;
  #lastStreamId = 0;
  #hasSettings = false;
  #isEnded = false;

  constructor(socket: Duplex, onRequest: OnRequest) {
    this.#socket = socket;
    this.#onRequest = onRequest;
    this.outbox = new Outbox(socket);
    this.#incoming = new IncomingFrames({
      socket,
      outbox: this.outbox,
      onFrame: (frame) => this.#handle(frame),
      onError: (error) => this.#end(error instanceof ConnectionError ? error.code : errorCodes.internalError),
    });
    socket.on('drain', () => this.#drained());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#closed());
    writeGreeting(this.outbox);
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

  #drained(): void {
    for (const stream of this.#streams.values()) stream.tellDrained();
    this.#incoming.drained();
  }

  #handle(frame: Frame): void {
    const { type } = frame;
    if (!this.#hasSettings && (type !== frameTypes.settings || (frame.flags & flags.ack) !== 0)) {
      throw new ConnectionError(errorCodes.protocolError, 'the first frame is not SETTINGS');
    }
    this.#hasSettings = true;
    this.#headerBlocks.checkOrder(frame);
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
        return this.#begin(this.#headerBlocks.headers(frame));
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
        return this.#begin(this.#headerBlocks.continuation(frame));
      default: // section 5.5: unknown kinds are ignored
    }
  }

  #onData(frame: Frame): void {
    const { streamId, payload } = frame;
    onlyForStream(frame);
    this.#receiveWindow -= payload.length;
    if (this.#receiveWindow < 0) throw new ConnectionError(errorCodes.flowControlError, 'more data than allowed');
    if (this.#receiveWindow < connectionWindowBytes / 2) {
      writeWindowUpdate(this.outbox, 0, connectionWindowBytes - this.#receiveWindow);
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
      writeWindowUpdate(this.outbox, streamId, streamWindowBytes - stream.receiveWindow);
      stream.receiveWindow = streamWindowBytes;
    }
  }

  /** A request's headers are whole, or its trailers. */
  #begin(block: HeaderBlock | undefined): void {
    if (block === undefined) return;
    const { streamId, isLast } = block;
    const fields = this.#decoder.decode(block.bytes); // always, or the table goes astray
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
    this.#incoming.started();
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
    checkPriority(frame);
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

  /** GOAWAY, and the end of the socket once that is on its way. */
  #end(code: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#incoming.end();
    this.outbox.frame(frameTypes.goaway, 0, 0, Buffer.concat([uint32(this.#lastStreamId), uint32(code)]));
    this.outbox.flush();
    this.#socket.end(() => this.#socket.destroy());
    // Whoever does not read its last words is not waited for.
    setTimeout(() => this.#socket.destroy(), 1000).unref();
  }

  #closed(): void {
    this.#isEnded = true;
    this.#incoming.end();
    for (const stream of this.#streams.values()) stream.close();
  }
}
