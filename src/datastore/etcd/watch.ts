/**
 * @module
 * The Watch service: many watches share one stream, and what is sent on it stays in order.
 *
 * Everything is given to the stream in the turn in which it happens, first in, first out. So a progress answer with
 * revision R, sent while all watches of the stream are live, stands behind every event up to R.
 * A stream whose peer reads too slowly takes no more events: its watches are held and continue from the history later.
 */
import { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import type { Revision, Store, StoreWatch, WatchEvent, WatchSink } from '../store/store.ts';
import { maxRequestBytes } from './limits.ts';
import { newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcCall, GrpcHandler, GrpcMethod } from '../../shared/grpc/grpc.ts';
import { cutMessage } from './methods.ts';
import type { Header } from './proto/header.ts';
import { eventSize, readWatchRequest, writeWatchResponse } from './proto/watch.ts';
import type { WatchCreate, WatchResponse } from './proto/watch.ts';
import { compactedMessage, toStatus } from './status.ts';

export interface WatchOptions {
  /** How often an idle watch with `progress_notify` hears of the newest revision; etcd: 10 minutes. */
  readonly progressIntervalMs: number;
}

export function watchMethods(store: Store, header: Header, options: WatchOptions): [string, GrpcMethod][] {
  return [['/etcdserverpb.Watch/Watch', (call) => new WatchStream(store, header, options, call)]];
}

interface Watching {
  readonly create: WatchCreate;
  readonly watch: StoreWatch;
  /** Has had an event since the last periodic progress. */
  isBusy: boolean;
}

/** Stands for every watch of a stream, or for none. */
const noWatchId = -1;

class WatchStream implements GrpcHandler {
  readonly #store: Store;
  readonly #header: Header;
  readonly #options: WatchOptions;
  readonly #call: GrpcCall;
  readonly #watches = new Map<number, Watching>();
  #nextWatchId = 0;
  #isFull = false;
  #isClosed = false;
  #owesProgress = false;
  #progressTimer: NodeJS.Timeout | undefined;

  constructor(store: Store, header: Header, options: WatchOptions, call: GrpcCall) {
    this.#store = store;
    this.#header = header;
    this.#options = options;
    this.#call = call;
  }

  message(bytes: Buffer): void {
    try {
      const request = readWatchRequest(new ProtoReader(bytes));
      if (request.kind === 'create') this.#create(request);
      else if (request.kind === 'cancel') this.#cancel(request.watchId);
      else if (request.kind === 'progress') this.#progress();
    } catch (error) {
      this.#call.error(toStatus(error));
      this.closed();
    }
  }

  /** A peer that has no more requests still wants its events. */
  end(isCut: boolean): void {
    if (isCut) this.#call.error(cutMessage);
  }

  drained(): void {
    this.#isFull = false;
    for (const { watch } of this.#watches.values()) watch.resume();
  }

  closed(): void {
    this.#isClosed = true;
    clearInterval(this.#progressTimer);
    for (const { watch } of this.#watches.values()) watch.cancel();
    this.#watches.clear();
  }

  #create(create: WatchCreate): void {
    const refusal = this.#refusal(create);
    if (refusal !== undefined) {
      this.#send({ watchId: noWatchId, created: true, canceled: true, cancelReason: refusal });
      return;
    }
    const watchId = create.watchId === 0 ? this.#freeWatchId() : create.watchId;
    this.#send({ watchId, created: true });
    const watch = this.#store.watch(create, this.#sink(watchId, create));
    this.#watches.set(watchId, { create, watch, isBusy: false });
    if (create.progressNotify) this.#startProgressTimer();
  }

  #refusal({ startRevision, range, watchId }: WatchCreate): string | undefined {
    if (startRevision < 0) return compactedMessage;
    const { key, rangeEnd } = range;
    const isToEnd = rangeEnd?.length === 1 && rangeEnd[0] === 0;
    if (rangeEnd !== undefined && !isToEnd && Buffer.compare(key, rangeEnd) >= 0) return 'mvcc: watcher range is empty';
    return this.#watches.has(watchId) && watchId !== 0
      ? 'mvcc: duplicate watch ID provided on the WatchStream'
      : undefined;
  }

  #freeWatchId(): number {
    while (this.#watches.has(this.#nextWatchId)) this.#nextWatchId += 1;
    return this.#nextWatchId++;
  }

  #sink(watchId: number, create: WatchCreate): WatchSink {
    return {
      events: (revision, events) => {
        const watching = this.#watches.get(watchId);
        if (watching !== undefined) watching.isBusy = true;
        this.#sendEvents(watchId, create, revision, events);
        return !this.#isFull;
      },
      compacted: (compactRevision) => {
        this.#watches.delete(watchId);
        this.#send({ watchId, canceled: true, compactRevision });
        this.#payProgress();
      },
      caughtUp: () => this.#payProgress(),
    };
  }

  #cancel(watchId: number): void {
    const watching = this.#watches.get(watchId);
    if (watching === undefined) return;
    watching.watch.cancel();
    this.#watches.delete(watchId);
    this.#send({ watchId, canceled: true });
    this.#payProgress();
  }

  #progress(): void {
    this.#owesProgress = true;
    this.#payProgress();
  }

  /** Answers a progress request as soon as every watch of the stream has had everything. */
  #payProgress(): void {
    if (!this.#owesProgress) return;
    const watchings = [...this.#watches.values()];
    if (watchings.some(({ watch }) => !watch.isSynced)) return;
    this.#owesProgress = false;
    // As etcd: silence when there is nothing to tell progress of.
    const hasBegun = watchings.every(({ watch }) => watch.startRevision <= this.#store.revision);
    if (watchings.length > 0 && hasBegun) this.#send({ watchId: noWatchId });
  }

  #startProgressTimer(): void {
    this.#progressTimer ??= setInterval(() => this.#tellProgress(), this.#options.progressIntervalMs).unref();
  }

  #tellProgress(): void {
    for (const [watchId, watching] of this.#watches) {
      const { create, watch, isBusy } = watching;
      watching.isBusy = false;
      const hasBegun = watch.startRevision <= this.#store.revision;
      if (create.progressNotify && !isBusy && watch.isSynced && hasBegun) this.#send({ watchId });
    }
  }

  #sendEvents(watchId: number, create: WatchCreate, revision: Revision, events: readonly WatchEvent[]): void {
    const parts = create.fragment ? fragments(events, create.prevKv) : [events];
    parts.forEach((part, at) => {
      const fragment = at < parts.length - 1;
      this.#send({ revision, watchId, fragment, events: part }, create.prevKv);
    });
  }

  #send(response: Omit<WatchResponse, 'revision'> & { readonly revision?: Revision }, hasPrevKv = false): void {
    if (this.#isClosed) return;
    const size = (response.events ?? []).reduce((sum, event) => sum + eventSize(event, hasPrevKv), 64);
    const message = newMessage(size);
    writeWatchResponse(message, this.#header, { revision: this.#store.revision, ...response }, hasPrevKv);
    if (!this.#call.send(message)) this.#isFull = true;
  }
}

/** Parts below the request limit, as far as events can be kept apart. */
function fragments(events: readonly WatchEvent[], hasPrevKv: boolean): WatchEvent[][] {
  const parts: WatchEvent[][] = [];
  let part: WatchEvent[] = [];
  let size = 0;
  for (const event of events) {
    const more = eventSize(event, hasPrevKv);
    if (part.length > 0 && size + more >= maxRequestBytes) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(event);
    size += more;
  }
  return [...parts, part];
}
