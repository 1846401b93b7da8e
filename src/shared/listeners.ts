/** Whoever wants to be told of something, in the order in which they said so. */
export class Listeners<T> {
  readonly #all: ((told: T) => void)[] = [];

  add(listener: (told: T) => void): void {
    this.#all.push(listener);
  }

  tell(told: T): void {
    for (const listener of this.#all) listener(told);
  }
}
