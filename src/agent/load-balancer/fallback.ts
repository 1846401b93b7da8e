import type { Socket } from 'node:net';
import type { Log } from '../../shared/log/log.ts';

/** Who answers until a server is reached for the first time. */
export interface Fallback {
  answer(client: Socket): void;
  /** Called once, when a server is reached. */
  end(): void;
}

/** The fallback and its clients, as long as there is one. */
export class FallbackClients {
  readonly #log: Log;
  readonly #clients = new Set<Socket>();
  #fallback: Fallback | undefined;

  constructor(fallback: Fallback | undefined, log: Log) {
    this.#fallback = fallback;
    this.#log = log;
  }

  get isThere(): boolean {
    return this.#fallback !== undefined;
  }

  answer(client: Socket): void {
    if (this.#fallback === undefined) return void client.destroy();
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    try {
      this.#fallback.answer(client);
    } catch (error) {
      client.destroy();
      this.#log.warn('what this node remembers cannot be used', { error }); // a file of it cannot be read
    }
  }

  /** Its clients come again, and reach the server. */
  end(): void {
    const ended = this.#fallback;
    this.#fallback = undefined;
    ended?.end();
    this.endClients();
  }

  endClients(): void {
    for (const client of this.#clients) client.destroy();
  }
}
