/**
 * @module
 * Memory for the records of versions: a few big slabs instead of one small buffer each, which the process's heap would
 * never give back whole. A slab that is mostly dead is emptied by moving what lives in it.
 *
 *   add ──copied to the end of the newest slab──▶ live ──release──▶ dead space ──slab emptied──▶ garbage
 *
 * Memory is never used twice: whoever still holds a view of a moved or released record reads what was there.
 */

/** What owns a record: its version. The arena alone writes these two. */
export interface RecordOwner {
  /** Absent when only the disk has it. */
  record: Uint8Array | undefined;
  slab: Slab | undefined;
}

export interface Slab {
  readonly buffer: Buffer;
  usedBytes: number;
  liveBytes: number;
  /** Everybody who ever lived here; who has left says so by its own `slab`. */
  owners: RecordOwner[];
}

const slabBytes = 256 << 10;
/** A record beyond this gets a slab of its own. */
const largeBytes = slabBytes / 4;
/** Dead space that is not worth the work. */
const tolerableBytes = 2 << 20;

export class RecordArena {
  readonly #slabs = new Set<Slab>();
  #newest: Slab | undefined;
  #heldBytes = 0;
  #livingBytes = 0;

  /** Memory of all slabs, dead space included. */
  get sizeBytes(): number {
    return this.#heldBytes;
  }

  get liveBytes(): number {
    return this.#livingBytes;
  }

  /** Keeps a copy of `record` until `release`. */
  add(owner: RecordOwner, record: Uint8Array): void {
    this.#place(owner, record);
    if (this.#heldBytes > this.#livingBytes * 1.25 + tolerableBytes) this.#emptyOne();
  }

  /** The owner gives its record up; safe where it has none. */
  release(owner: RecordOwner): void {
    const { slab, record } = owner;
    owner.slab = undefined;
    owner.record = undefined;
    if (slab === undefined || record === undefined) return;
    slab.liveBytes -= record.length;
    this.#livingBytes -= record.length;
    if (slab.liveBytes === 0 && slab !== this.#newest) this.#discard(slab);
  }

  #place(owner: RecordOwner, record: Uint8Array): void {
    const slab = this.#slabFor(record.length);
    const end = slab.usedBytes + record.length;
    const place = slab.buffer.subarray(slab.usedBytes, end);
    place.set(record);
    slab.usedBytes = end;
    slab.liveBytes += record.length;
    this.#livingBytes += record.length;
    slab.owners.push(owner);
    owner.slab = slab;
    owner.record = place;
  }

  #slabFor(sizeBytes: number): Slab {
    if (sizeBytes > largeBytes) return this.#newSlab(sizeBytes);
    if (this.#newest === undefined || this.#newest.usedBytes + sizeBytes > slabBytes)
      this.#newest = this.#newSlab(slabBytes);
    return this.#newest;
  }

  #newSlab(sizeBytes: number): Slab {
    const slab: Slab = { buffer: Buffer.allocUnsafeSlow(sizeBytes), usedBytes: 0, liveBytes: 0, owners: [] };
    this.#slabs.add(slab);
    this.#heldBytes += sizeBytes;
    return slab;
  }

  #discard(slab: Slab): void {
    this.#slabs.delete(slab);
    this.#heldBytes -= slab.buffer.length;
    slab.owners = [];
  }

  /** Moves what lives in the emptiest slab to the newest. */
  #emptyOne(): void {
    const emptiest = this.#emptiest();
    if (emptiest === undefined) return;
    const { owners } = emptiest;
    this.#livingBytes -= emptiest.liveBytes;
    this.#discard(emptiest);
    for (const owner of owners) {
      if (owner.slab === emptiest && owner.record !== undefined) this.#place(owner, owner.record);
    }
  }

  #emptiest(): Slab | undefined {
    let found: Slab | undefined;
    for (const slab of this.#slabs) {
      if (slab !== this.#newest && (found === undefined || shareOfLife(slab) < shareOfLife(found))) found = slab;
    }
    return found;
  }
}

function shareOfLife({ liveBytes, buffer }: Slab): number {
  return liveBytes / buffer.length;
}
