import type { Socket } from 'node:net';
import type { Log } from '../../shared/log/log.ts';

/** A kube-apiserver, and who is connected to it. */
export interface Backend {
  readonly url: string;
  isAlive: boolean;
  readonly clients: Set<Socket>;
}

/** The servers that are known now: which of them are alive, and which one serves. */
export class Backends {
  readonly #urls: () => readonly string[];
  readonly #log: Log;
  readonly #byUrl = new Map<string, Backend>();
  #preferred = '';

  constructor(urls: () => readonly string[], log: Log) {
    this.#urls = urls;
    this.#log = log;
  }

  /** Those alive first, and of them the one that serves now. Clients of one that is not known any more are ended. */
  inOrder(): readonly Backend[] {
    const urls = this.#urls();
    for (const url of urls) {
      if (!this.#byUrl.has(url)) this.#byUrl.set(url, { url, isAlive: true, clients: new Set() });
    }
    for (const [url, backend] of this.#byUrl) {
      if (urls.includes(url)) continue;
      endClients(backend);
      this.#byUrl.delete(url);
    }
    const rank = ({ url, isAlive }: Backend) => (isAlive ? 0 : 2) + (url === this.#preferred ? 0 : 1);
    return [...this.#byUrl.values()].toSorted((a, b) => rank(a) - rank(b));
  }

  urls(): readonly string[] {
    return [...this.#byUrl.keys()];
  }

  isAnyAlive(): boolean {
    return [...this.#byUrl.values()].some(({ isAlive }) => isAlive);
  }

  /** @param reason why it is not, for people */
  setAlive(backend: Backend, isAlive: boolean, reason: string): void {
    if (backend.isAlive !== isAlive) {
      if (isAlive) this.#log.info('a kube-apiserver answers again', { url: backend.url });
      else this.#log.warn('a kube-apiserver does not answer', { url: backend.url, reason });
    }
    backend.isAlive = isAlive;
    if (!isAlive) endClients(backend);
  }

  /** This one serves from now on. */
  serve(backend: Backend, client: Socket): void {
    this.#preferred = backend.url;
    backend.clients.add(client);
    client.once('close', () => backend.clients.delete(client));
  }

  end(): void {
    for (const backend of this.#byUrl.values()) endClients(backend);
  }
}

function endClients({ clients }: Backend): void {
  for (const client of clients) client.destroy();
  clients.clear();
}
