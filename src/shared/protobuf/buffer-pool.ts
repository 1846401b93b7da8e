/**
 * Large buffers that serve again: a new one costs a page fault every 4 KiB, which is more than it costs to fill it.
 * Their sizes are powers of two.
 */
const smallestBytes = 32 << 10;
const largestBytes = 4 << 20;
/** What lies here unused, at most. */
const maxSpareBytes = 8 << 20;

/** Whoever wants none for so long is at rest, and has better uses for the memory. */
const restMs = 5000;

const spare = new Map<number, Buffer[]>();
let spareBytes = 0;
let isWanted = false;
let rest: NodeJS.Timeout | undefined;

/** @returns at least so many bytes, with anything in them */
export function takeBuffer(sizeBytes: number): Buffer {
  if (sizeBytes < smallestBytes || sizeBytes > largestBytes) return Buffer.allocUnsafe(sizeBytes);
  isWanted = true;
  const roundedBytes = 2 ** Math.ceil(Math.log2(sizeBytes));
  const found = spare.get(roundedBytes)?.pop();
  if (found === undefined) return Buffer.allocUnsafeSlow(roundedBytes);
  spareBytes -= roundedBytes;
  return found;
}

/** Whether it is worth the trouble of giving back. */
export const isReusable = ({ length }: Buffer): boolean =>
  length >= smallestBytes && length <= largestBytes && Number.isInteger(Math.log2(length));

/** From `takeBuffer`; nobody may hold on to it. */
export function giveBufferBack(memory: Buffer): void {
  if (!isReusable(memory) || spareBytes + memory.length > maxSpareBytes) return;
  spareBytes += memory.length;
  rest ??= setInterval(forgetUnwanted, restMs).unref();
  const sameSize = spare.get(memory.length);
  if (sameSize === undefined) spare.set(memory.length, [memory]);
  else sameSize.push(memory);
}

function forgetUnwanted(): void {
  if (!isWanted) {
    spare.clear();
    spareBytes = 0;
    clearInterval(rest);
    rest = undefined;
  }
  isWanted = false;
}
