import { rfc3339 } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Heartbeat } from '../../shared/protocol/channel.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import { HistoryEntry } from '../../shared/protocol/local.ts';

const slotMs = 15 * 60 * 1000;
const keptMs = 24 * 60 * 60 * 1000;

/** The last day of each node, under `/kagent/nodes/<name>/history/<time>`: one write a quarter of an hour. */
export class HeartbeatHistory {
  readonly #store: KeyValue;
  readonly #clock: Clock;
  readonly #current = new Map<string, HistoryEntry>();

  constructor(store: KeyValue, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async connected(nodeName: string): Promise<void> {
    await this.#add(nodeName, { connections: 1 });
  }

  async heartbeat(nodeName: string, heartbeat: Heartbeat, restarts: number): Promise<void> {
    await this.#add(nodeName, {
      beats: 1,
      restarts,
      maxSkewMs: Math.abs(heartbeat.clockSkewMs ?? 0),
      maxRoundTripMs: heartbeat.roundTripMs ?? 0,
      maxLoad1: heartbeat.load1,
      minMemoryBytes: heartbeat.memory.availableBytes,
      minDiskBytes: heartbeat.disk.freeBytes,
    });
  }

  /** What is gathered now goes to disk: the node has gone, or the server goes. */
  async flush(nodeName: string): Promise<void> {
    const entry = this.#current.get(nodeName);
    this.#current.delete(nodeName);
    if (entry !== undefined) await this.#write(nodeName, entry);
  }

  async flushAll(): Promise<void> {
    await Promise.all(this.#current.keys().map((nodeName) => this.flush(nodeName)));
  }

  /** Oldest first, the present quarter with it. */
  async of(nodeName: string): Promise<readonly HistoryEntry[]> {
    const { entries } = await this.#store.list(prefixOf(nodeName));
    const kept = [...entries.values()].map((text) => HistoryEntry.parse(JSON.parse(text)));
    const current = this.#current.get(nodeName);
    if (current === undefined) return kept;
    const last = kept.at(-1);
    return last?.from === current.from ? [...kept.slice(0, -1), merged(last, current)] : [...kept, current];
  }

  async #add(nodeName: string, news: Partial<HistoryEntry>): Promise<void> {
    const from = rfc3339(Math.floor(this.#clock.now() / slotMs) * slotMs);
    if (this.#current.get(nodeName)?.from !== from) await this.flush(nodeName);
    const entry = { ...emptyEntry(from), ...news };
    const before = this.#current.get(nodeName);
    this.#current.set(nodeName, before === undefined ? entry : merged(before, entry));
  }

  async #write(nodeName: string, entry: HistoryEntry): Promise<void> {
    const key = prefixOf(nodeName) + entry.from;
    const before = await this.#store.get(key);
    const whole = before === undefined ? entry : merged(HistoryEntry.parse(JSON.parse(before)), entry);
    await this.#store.put(key, JSON.stringify(whole));
    const oldest = prefixOf(nodeName) + rfc3339(this.#clock.now() - keptMs);
    const { entries } = await this.#store.list(prefixOf(nodeName));
    for (const old of [...entries.keys()].filter((candidate) => candidate < oldest)) await this.#store.delete(old);
  }
}

function prefixOf(nodeName: string): string {
  return `/kagent/nodes/${nodeName}/history/`;
}

function emptyEntry(from: string): HistoryEntry {
  const most = Number.MAX_SAFE_INTEGER;
  return {
    from,
    beats: 0,
    connections: 0,
    restarts: 0,
    maxSkewMs: 0,
    maxRoundTripMs: 0,
    maxLoad1: 0,
    minMemoryBytes: most,
    minDiskBytes: most,
  };
}

/** Two parts of one quarter: sums, and the worse of each figure. */
function merged(a: HistoryEntry, b: HistoryEntry): HistoryEntry {
  return {
    from: a.from,
    beats: a.beats + b.beats,
    connections: a.connections + b.connections,
    restarts: a.restarts + b.restarts,
    maxSkewMs: Math.max(a.maxSkewMs, b.maxSkewMs),
    maxRoundTripMs: Math.max(a.maxRoundTripMs, b.maxRoundTripMs),
    maxLoad1: Math.max(a.maxLoad1, b.maxLoad1),
    minMemoryBytes: Math.min(a.minMemoryBytes, b.minMemoryBytes),
    minDiskBytes: Math.min(a.minDiskBytes, b.minDiskBytes),
  };
}
