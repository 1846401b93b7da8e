import * as z from 'zod';
import { rfc3339 } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';

const LastConnection = z.object({
  /** Counts the node's connections. */
  generation: z.int(),
  /** RFC 3339. */
  lastSeen: z.string(),
});

const prefix = '/kagent/connections/';

/** What is kept of each node's last connection, under `/kagent/connections/<name>`: all of them are read at a start. */
export class LastConnections {
  readonly #store: KeyValue;
  readonly #clock: Clock;

  constructor(store: KeyValue, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Counts a new connection. */
  async next(nodeName: string): Promise<number> {
    const text = await this.#store.get(prefix + nodeName);
    const generation = text === undefined ? 1 : LastConnection.parse(JSON.parse(text)).generation + 1;
    await this.write(nodeName, generation);
    return generation;
  }

  /** The node was heard just now. */
  async write(nodeName: string, generation: number): Promise<void> {
    const lastSeen = rfc3339(this.#clock.now());
    await this.#store.put(prefix + nodeName, JSON.stringify({ generation, lastSeen }));
  }

  /** When each node was heard last, milliseconds since 1970: what an earlier life of this server wrote. */
  async recall(): Promise<ReadonlyMap<string, number>> {
    const { entries } = await this.#store.list(prefix);
    const lastSeenMs = (text: string) => Date.parse(LastConnection.parse(JSON.parse(text)).lastSeen);
    return new Map([...entries].map(([key, text]) => [key.slice(prefix.length), lastSeenMs(text)]));
  }

  async forget(nodeName: string): Promise<void> {
    await this.#store.delete(prefix + nodeName);
  }
}
