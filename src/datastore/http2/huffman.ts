/**
 * The Huffman code of header strings.
 * The code is canonical: codes of one length are consecutive, in the order of symbols, and so the lengths say it all.
 * Spec: RFC 7541, section 5.2 and appendix B.
 */

/** Bits of the code of each symbol, 0 to 255, and of the end of string, 256. */
const codeBits = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const endOfString = 256;

/** `tree[2 * node + bit]` is the next node, or a leaf: minus one minus its symbol. */
const tree = buildTree();

function buildTree(): Int16Array {
  const nodes = new Int16Array(2 * codeBits.length);
  let nodeCount = 1;
  const bySize = [...codeBits.keys()].toSorted((a, b) => (codeBits[a] ?? 0) - (codeBits[b] ?? 0) || a - b);
  let code = 0;
  let bits = 0;
  for (const symbol of bySize) {
    const length = codeBits[symbol] ?? 0;
    code *= 2 ** (length - bits);
    bits = length;
    let node = 0;
    for (let at = length - 1; at > 0; at -= 1) {
      const branch = 2 * node + ((code >>> at) & 1);
      if (nodes[branch] === 0) nodes[branch] = nodeCount++;
      node = nodes[branch] ?? 0;
    }
    nodes[2 * node + (code & 1)] = -1 - symbol;
    code += 1;
  }
  return nodes;
}

const decoded = Buffer.alloc(1 << 16);

/** @returns undefined where the bytes are no such code; longer than 64 KiB is refused too */
export function decodeHuffman(bytes: Buffer): string | undefined {
  let length = 0;
  let node = 0;
  /** Bits since the last symbol, and whether all of them were ones: what may be left over at the end. */
  let pendingBits = 0;
  let isPadding = true;
  for (const byte of bytes) {
    for (let mask = 0x80; mask > 0; mask >>= 1) {
      const bit = (byte & mask) === 0 ? 0 : 1;
      const next = tree[2 * node + bit] ?? 0;
      pendingBits += 1;
      isPadding &&= bit === 1;
      if (next >= 0) {
        node = next;
        continue;
      }
      const symbol = -1 - next;
      if (symbol === endOfString || length === decoded.length) return undefined;
      decoded[length++] = symbol;
      node = 0;
      pendingBits = 0;
      isPadding = true;
    }
  }
  return pendingBits > 7 || !isPadding ? undefined : decoded.toString('latin1', 0, length);
}
