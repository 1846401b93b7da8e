import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { FromServer } from '../../shared/protocol/channel.ts';
import type { Target } from './route.ts';

/** An agent that is connected. */
export interface AgentLink {
  send(message: FromServer): void;
}

interface Awaited {
  readonly nodeName: string;
  readonly resolve: (stream: Duplex) => void;
  readonly reject: (error: Error) => void;
}

const answersWithinMs = 10_000;

/** Streams that agents were asked for and have not brought yet, each by an id that nobody else can guess. */
export class AwaitedStreams {
  readonly #awaited = new Map<string, Awaited>();

  /** @throws what the agent says instead; that it says nothing */
  async open(nodeName: string, link: AgentLink, { host, port }: Target): Promise<Duplex> {
    const id = randomBytes(16).toString('hex');
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    const tooLong = setTimeout(() => reject(new Error(`${nodeName} did not answer`)), answersWithinMs);
    this.#awaited.set(id, { nodeName, resolve, reject });
    link.send({ type: 'open', id, host, port });
    try {
      return await promise;
    } finally {
      clearTimeout(tooLong);
      this.#awaited.delete(id);
    }
  }

  /** @returns false for one that nobody waits for, or that another node was asked for */
  accept(id: string, nodeName: string, stream: Duplex): boolean {
    const awaited = this.#awaited.get(id);
    if (awaited?.nodeName !== nodeName) return false;
    awaited.resolve(stream);
    return true;
  }

  failed(id: string, reason: string): void {
    this.#awaited.get(id)?.reject(new Error(reason));
  }
}
