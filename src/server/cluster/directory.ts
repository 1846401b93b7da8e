import { Listeners } from '../../shared/listeners.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import { serversFor } from './server-addresses.ts';
import type { ServerPorts } from './server-addresses.ts';

/** Which servers the cluster has: this one, and those that it has been told of. */
export class ServerDirectory {
  /** Of this one. */
  readonly name: string;
  readonly #own: ServerAddress;
  readonly #ports: ServerPorts;
  readonly #changed = new Listeners<void>();
  #others: readonly ServerAddress[] = [];

  constructor(name: string, own: ServerAddress, ports: ServerPorts) {
    this.name = name;
    this.#own = own;
    this.#ports = ports;
  }

  /** In the order in which they are to be tried. @param reachedAt the address at which the node that asks reaches this one */
  current(reachedAt?: string): readonly ServerAddress[] {
    const own = serversFor(this.#own, this.#ports, reachedAt).map((one) => ({ ...one, name: this.name }));
    return [...own, ...this.#others];
  }

  others(): readonly ServerAddress[] {
    return this.#others;
  }

  setOthers(others: readonly ServerAddress[]): void {
    if (JSON.stringify(others) === JSON.stringify(this.#others)) return;
    this.#others = others;
    this.#changed.tell();
  }

  onChange(listener: () => void): void {
    this.#changed.add(listener);
  }
}
