/**
 * @module
 * Watches: who wants to know of which keys, and how far each has been told.
 *
 *   behind ──history read──▶ live ──sink is full──▶ held ──resume()──▶ behind
 *
 * A live watch gets its events in the same turn in which their revision becomes visible, so that a server can rely on it:
 * once every watch of a stream is live, the stream has been given every event up to the store's revision.
 */
import { CompactedError } from './errors.ts';
import type { KeyIndex, Span, Version } from './key-index.ts';
import { RecordLoader } from './history.ts';
import { spanHas, spanOf } from './key-index.ts';
import type { VersionChange } from './pending.ts';
import type { Revision, StoreWatch, WatchEvent, WatchQuery, WatchSink } from './shapes.ts';

export interface WatchHost {
  readonly index: KeyIndex;
  /** The newest revision on disk. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  load(loader: RecordLoader): Promise<void>;
}

/** One version that has just become visible. */
export interface Change {
  readonly key: string;
  readonly version: Version;
  readonly event: WatchEvent;
}

const noValue = new Uint8Array();

export function changeOf({ entry, version, previous }: VersionChange): Change {
  const event = {
    revision: version.revision,
    isDelete: version.version === 0,
    record: version.record ?? noValue,
    previous: previous?.record,
  };
  return { key: entry.key, version, event };
}

type State = 'live' | 'behind' | 'held' | 'ended';

/** Events read from the history at a time; a revision is never split. */
const chunkSize = 500;

class Watch implements StoreWatch {
  readonly span: Span;
  readonly query: WatchQuery;
  readonly sink: WatchSink;
  state: State = 'behind';
  /** Everything below has been told. */
  next: Revision;
  /** Events of the revisions that are being made visible right now. */
  fresh: WatchEvent[] = [];
  readonly #hub: WatchHub;

  constructor(hub: WatchHub, query: WatchQuery, sink: WatchSink, next: Revision) {
    this.#hub = hub;
    this.query = query;
    this.sink = sink;
    this.span = spanOf(query.range);
    this.next = next;
  }

  get isSynced(): boolean {
    return this.state === 'live';
  }

  get startRevision(): Revision {
    return this.query.startRevision;
  }

  wants(event: WatchEvent): boolean {
    return event.revision >= this.next && !(event.isDelete ? this.query.noDelete : this.query.noPut);
  }

  resume(): void {
    this.#hub.resume(this);
  }

  cancel(): void {
    this.#hub.cancel(this);
  }
}

/** Live watches that look at the same keys. */
interface Group {
  readonly span: Span;
  readonly watches: Set<Watch>;
}

export class WatchHub {
  readonly #host: WatchHost;
  readonly #singles = new Map<string, Group>();
  readonly #ranges = new Map<string, Group>();
  #count = 0;

  constructor(host: WatchHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#count;
  }

  watch(query: WatchQuery, sink: WatchSink): StoreWatch {
    const present = (this.#host.revision + 1) as Revision;
    const next = query.startRevision === 0 ? present : query.startRevision;
    const watch = new Watch(this, query, sink, next);
    this.#count += 1;
    if (next >= present) this.#goLive(watch);
    else void this.#catchUp(watch);
    return watch;
  }

  /** New revisions, in order; `revision` is the last of them. */
  publish(changes: readonly Change[], revision: Revision): void {
    const touched = new Set<Watch>();
    const offer = (group: Group, event: WatchEvent): void => {
      for (const watch of group.watches) {
        if (!watch.wants(event)) continue;
        watch.fresh.push(event);
        touched.add(watch);
      }
    };
    for (const { key, event } of changes) {
      const single = this.#singles.get(key);
      if (single !== undefined) offer(single, event);
      for (const group of this.#ranges.values()) if (spanHas(group.span, key)) offer(group, event);
    }
    for (const watch of touched) {
      const events = watch.fresh;
      watch.fresh = [];
      if (watch.state !== 'live') continue; // another sink ended it just now
      watch.next = (revision + 1) as Revision;
      if (!watch.sink.events(revision, events)) this.#hold(watch);
    }
  }

  resume(watch: Watch): void {
    if (watch.state !== 'held') return;
    watch.state = 'behind';
    void this.#catchUp(watch);
  }

  cancel(watch: Watch): void {
    if (watch.state === 'ended') return;
    this.#leaveLive(watch);
    watch.state = 'ended';
    this.#count -= 1;
  }

  #hold(watch: Watch): void {
    if (watch.state === 'ended') return;
    // What it missed starts at the present: it stood at the end when it was held.
    watch.next = Math.max(watch.next, this.#host.revision + 1) as Revision;
    this.#leaveLive(watch);
    watch.state = 'held';
  }

  #goLive(watch: Watch): void {
    watch.state = 'live';
    const groups = this.#groupsFor(watch.span);
    const name = groupName(watch.span);
    const group = groups.get(name) ?? { span: watch.span, watches: new Set() };
    group.watches.add(watch);
    groups.set(name, group);
  }

  #leaveLive(watch: Watch): void {
    const groups = this.#groupsFor(watch.span);
    const name = groupName(watch.span);
    const group = groups.get(name);
    group?.watches.delete(watch);
    if (group?.watches.size === 0) groups.delete(name);
  }

  #groupsFor(span: Span): Map<string, Group> {
    return span.isSingle ? this.#singles : this.#ranges;
  }

  /** Reads the history until the watch has had it all; then it is live. */
  async #catchUp(watch: Watch): Promise<void> {
    await Promise.resolve(); // never inside watch() or resume()
    while (watch.state === 'behind') {
      if (watch.next < this.#host.compactRevision) {
        this.cancel(watch);
        watch.sink.compacted(this.#host.compactRevision);
      } else if (watch.next > this.#host.revision) {
        this.#goLive(watch);
        watch.sink.caughtUp();
      } else if (!(await this.#tellHistory(watch, this.#host.revision))) return;
    }
  }

  /** @returns false when the disk can no longer be read: the store is stopping then */
  async #tellHistory(watch: Watch, upTo: Revision): Promise<boolean> {
    const past = this.#changesSince(watch.span, watch.next, upTo);
    let from = 0;
    while (from < past.length && watch.state === 'behind') {
      if (watch.next < this.#host.compactRevision) return true;
      const end = chunkEnd(past, from);
      const chunk = past.slice(from, end);
      const events = await this.#eventsOf(chunk);
      if (events === 'stopping') return false;
      if (events === 'compacted' || watch.state !== 'behind') return true;
      from = end;
      const last = from < past.length ? (chunk.at(-1)?.version.revision ?? upTo) : upTo;
      this.#tell(watch, events, last, upTo);
    }
    if (watch.state === 'behind') watch.next = Math.max(watch.next, upTo + 1) as Revision;
    return true;
  }

  /** Events up to `last`; as in etcd they are told at the revision that the history is read up to. */
  #tell(watch: Watch, events: readonly WatchEvent[], last: Revision, upTo: Revision): void {
    const wanted = events.filter((event) => watch.wants(event));
    watch.next = (last + 1) as Revision;
    if (wanted.length > 0 && !watch.sink.events(upTo, wanted) && watch.state === 'behind') watch.state = 'held';
  }

  #changesSince(span: Span, since: Revision, upTo: Revision): Past[] {
    const found: Past[] = [];
    this.#host.index.visit(span, ({ versions }) => {
      for (let at = versions.length - 1; at >= 0; at -= 1) {
        const version = versions[at];
        if (version === undefined || version.revision < since) break;
        if (version.revision <= upTo) found.push({ version, previous: this.#shownBefore(version, versions[at - 1]) });
      }
    });
    return found.toSorted((a, b) => a.version.id - b.version.id);
  }

  async #eventsOf(chunk: readonly Past[]): Promise<WatchEvent[] | 'compacted' | 'stopping'> {
    const loader = new RecordLoader();
    const needed = chunk.flatMap(({ version, previous }) => (previous === undefined ? [version] : [version, previous]));
    let records = new Map<Version, Uint8Array>();
    loader.collect(needed, (loaded) => {
      records = new Map(needed.map((version, at) => [version, loaded[at] ?? new Uint8Array()]));
    });
    try {
      await this.#host.load(loader);
    } catch (error) {
      return error instanceof CompactedError ? 'compacted' : 'stopping';
    }
    return chunk.map(({ version, previous }) => ({
      revision: version.revision,
      isDelete: version.version === 0,
      record: records.get(version) ?? new Uint8Array(),
      previous: previous === undefined ? undefined : records.get(previous),
    }));
  }

  /** The version an event shows as the one before: not a deletion, and not what a compaction has made unreadable. */
  #shownBefore(version: Version, previous: Version | undefined): Version | undefined {
    const isReadable = version.revision - 1 >= this.#host.compactRevision;
    return isReadable && previous !== undefined && previous.version > 0 ? previous : undefined;
  }
}

interface Past {
  readonly version: Version;
  readonly previous: Version | undefined;
}

function chunkEnd(past: readonly Past[], from: number): number {
  let end = Math.min(from + chunkSize, past.length);
  while (end < past.length && past[end]?.version.revision === past[end - 1]?.version.revision) end += 1;
  return end;
}

function groupName(span: Span): string {
  if (span.isSingle) return span.from;
  // Lengths keep apart what would read the same when joined.
  return span.to === undefined ? `:${span.from}` : `${span.from.length}:${span.from}${span.to}`;
}
