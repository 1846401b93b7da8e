import type { Socket } from 'node:net';
import { finished } from 'node:stream';
import type { ReleaseStream } from '../release/release.ts';
import { Shares } from './shares.ts';

export interface DownloadLimits {
  /** At once; each takes a connection and two buffers. */
  readonly most: number;
  readonly mostOfAddress: number;
  /** Who takes less of it in `everyMs` has gone, or keeps a place from others. */
  readonly slowestBytes: number;
  readonly everyMs: number;
}

export const downloadLimits: DownloadLimits = {
  most: 256,
  mostOfAddress: 64,
  slowestBytes: 1024 * 1024,
  everyMs: 60_000,
};

export interface Download {
  readonly stream: ReleaseStream;
  readonly socket: Socket;
}

/** Those that are under way. None keeps a place without reading, and no address all of them. */
export class Downloads {
  readonly #limits: DownloadLimits;
  readonly #shares = new Shares<Socket>();

  constructor(limits: DownloadLimits) {
    this.#limits = limits;
  }

  /** Whether one more may begin; where all places are taken, an address that has more of them gives one up. */
  makeRoom(address: string): boolean {
    const shares = this.#shares;
    const { most, mostOfAddress } = this.#limits;
    const own = shares.of(address);
    if (own >= mostOfAddress) return false;
    if (shares.size < most) return true;
    const largest = shares.largest() ?? '';
    if (shares.of(largest) <= own + 1) return false;
    shares.takeOldest(largest)?.destroy();
    return true;
  }

  begin(address: string, { stream, socket }: Download): void {
    this.#shares.add(address, socket);
    let before = 0;
    const looking = setInterval(() => {
      if (stream.bytesRead - before < this.#limits.slowestBytes) socket.destroy();
      before = stream.bytesRead;
    }, this.#limits.everyMs).unref();
    finished(stream, () => {
      clearInterval(looking);
      this.#shares.delete(address, socket);
    });
  }
}
