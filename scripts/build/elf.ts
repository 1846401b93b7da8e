/**
 * One correction of what `node --build-sea` writes: the program headers it adds lie right behind Node's writable data, on
 * a page boundary of 4 KiB. Where pages are larger (16 KiB on a Raspberry Pi 5, 64 KiB on some servers) the kernel maps
 * them over the end of that data, read-only, and Node's first write there ends it. Writable, they do no harm: what is
 * mapped is the same bytes of the file.
 * For arm64 alone: there the parts of Node itself lie on pages of 64 KiB; amd64 has pages of 4 KiB and nothing else.
 * Spec: System V ABI, "Program Header"; 64 bit, little-endian.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

const largestPageBytes = 0x10000;
const load = 1;
const writable = 2;

interface Segment {
  /** Of its header in the file. */
  readonly at: number;
  readonly type: number;
  readonly flags: number;
  readonly from: number;
  readonly to: number;
}

/** Makes every segment writable that would share a page of 64 KiB with a writable one. */
export async function fitLargePages(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const segments = await segmentsOf(file);
    for (const segment of segments.filter((one) => (one.flags & writable) === 0 && sharesPage(one, segments))) {
      const flags = Buffer.alloc(4);
      flags.writeUInt32LE(segment.flags | writable);
      await file.write(flags, 0, flags.length, segment.at + 4);
    }
  } finally {
    await file.close();
  }
}

export async function segmentsOf(file: FileHandle): Promise<readonly Segment[]> {
  const header = Buffer.alloc(64);
  await file.read(header, 0, header.length, 0);
  const [start, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)];
  const table = Buffer.alloc(size * count);
  await file.read(table, 0, table.length, start);
  const segments = Array.from({ length: count }, (_, index) => segmentOf(table, index * size, start));
  return segments.filter(({ type }) => type === load);
}

function segmentOf(table: Buffer, offset: number, start: number): Segment {
  const from = Number(table.readBigUInt64LE(offset + 16));
  return {
    at: start + offset,
    type: table.readUInt32LE(offset),
    flags: table.readUInt32LE(offset + 4),
    from,
    to: from + Number(table.readBigUInt64LE(offset + 40)),
  };
}

export function sharesPage(one: Segment, segments: readonly Segment[]): boolean {
  const page = (address: number) => Math.floor(address / largestPageBytes);
  return segments.some(
    (other) =>
      other !== one &&
      (other.flags & writable) !== 0 &&
      page(one.from) <= page(other.to - 1) &&
      page(other.from) <= page(one.to - 1),
  );
}
