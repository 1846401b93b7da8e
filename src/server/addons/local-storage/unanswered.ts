/**
 * Folders that a node may have made though it did not say so: its answer was lost, or came when the claim was gone. They are
 * remembered by this process alone: what is left after a kill in that moment is an empty folder.
 */
import { WorkQueue } from '../../../kube/kube.ts';
import type { VolumeFolder } from '../../../shared/protocol/channel.ts';

/** A folder that was asked for, and has no PersistentVolume yet. */
export interface Unanswered extends VolumeFolder {
  readonly id: string;
  readonly nodeName: string;
  /** `shop/data` */
  readonly claim: string;
  readonly claimUid: string;
}

export interface UnansweredOptions {
  /** The claim is there, and may yet get its volume. */
  readonly isWanted: (folder: Unanswered) => boolean;
  /** Rejects to be called again later. */
  readonly remove: (folder: Unanswered, signal: AbortSignal) => Promise<void>;
}

export class UnansweredFolders {
  readonly #options: UnansweredOptions;
  readonly #folders = new Map<string, Unanswered>();
  readonly #queue: WorkQueue;

  constructor(options: UnansweredOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ atOnce: 1, work: (id, signal) => this.#remove(id, signal), onFailure: () => {} });
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** Before it is asked for. */
  add(folder: Unanswered): void {
    this.#folders.set(folder.id, folder);
  }

  /** It has a PersistentVolume, by which it is removed. */
  delete(id: string): void {
    this.#folders.delete(id);
  }

  /** A claim is gone, or a node has changed. */
  tryAgain(): void {
    for (const [id, folder] of this.#folders) if (!this.#options.isWanted(folder)) this.#queue.add(id);
  }

  async #remove(id: string, signal: AbortSignal): Promise<void> {
    const folder = this.#folders.get(id);
    if (folder === undefined || this.#options.isWanted(folder)) return;
    await this.#options.remove(folder, signal);
    if (this.#folders.get(id) === folder) this.#folders.delete(id);
  }
}
