/** What is shared, by who holds it: an address, a node. The oldest of each comes first. */
export class Shares<T> {
  readonly #held = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(holder: string): number {
    return this.#held.get(holder)?.size ?? 0;
  }

  add(holder: string, item: T): void {
    const held = this.#held.get(holder) ?? new Set();
    this.#held.set(holder, held.add(item));
    this.#size += 1;
  }

  /** @returns whether it was there */
  delete(holder: string, item: T): boolean {
    const held = this.#held.get(holder);
    if (held?.delete(item) !== true) return false;
    this.#size -= 1;
    if (held.size === 0) this.#held.delete(holder);
    return true;
  }

  takeOldest(holder: string): T | undefined {
    const [oldest] = this.#held.get(holder) ?? [];
    if (oldest !== undefined) this.delete(holder, oldest);
    return oldest;
  }

  /** Who holds most; of several the one that came first. */
  largest(): string | undefined {
    let most: string | undefined;
    for (const [holder, { size }] of this.#held) if (size > this.of(most ?? '')) most = holder;
    return most;
  }
}
