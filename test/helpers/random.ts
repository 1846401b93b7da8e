/** Numbers from 0 up to 1 that look random: the same for the same seed, and others for the next one. */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 2_654_435_761);
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Whole numbers below what is asked for. */
export function integersFrom(seed: number): (below: number) => number {
  const random = randomFrom(seed);
  return (below) => Math.floor(random() * below);
}
