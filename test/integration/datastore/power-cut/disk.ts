/** What a power cut leaves of files: everything that was synced, and of the rest any part in any mixture. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Deed {
  readonly kind: 'write' | 'truncate' | 'sync' | 'unlink';
  readonly file: string;
  /** On the monotonic clock. */
  readonly atNs: bigint;
  /** Of a write; the new size for a truncation. */
  readonly offset: number;
  readonly data: Buffer;
}

const kinds = { w: 'write', t: 'truncate', s: 'sync', u: 'unlink' } as const;

/** Reads what record.c wrote down. */
export function readRecord(path: string): Deed[] {
  const bytes = readFileSync(path);
  const deeds: Deed[] = [];
  let at = 0;
  while (at < bytes.length) {
    const kind = kinds[String.fromCharCode(bytes[at] ?? 0) as keyof typeof kinds];
    const nameEnd = at + 2 + (bytes[at + 1] ?? 0);
    const length = Number(bytes.readBigUInt64LE(nameEnd + 16));
    deeds.push({
      kind,
      file: bytes.toString('latin1', at + 2, nameEnd),
      atNs: bytes.readBigUInt64LE(nameEnd),
      offset: Number(bytes.readBigUInt64LE(nameEnd + 8)),
      data: bytes.subarray(nameEnd + 24, nameEnd + 24 + length),
    });
    at = nameEnd + 24 + length;
  }
  return deeds;
}

interface FileOnDisk {
  durable: Buffer;
  /** Done and not synced. */
  pending: Deed[];
}

const sectorBytes = 512;

export class Disk {
  readonly #files = new Map<string, FileOnDisk>();

  apply(deed: Deed): void {
    if (deed.kind === 'unlink') {
      this.#files.delete(deed.file);
      return;
    }
    const file = this.#files.get(deed.file) ?? { durable: Buffer.alloc(0), pending: [] };
    this.#files.set(deed.file, file);
    if (deed.kind !== 'sync') {
      file.pending.push(deed);
      return;
    }
    for (const done of file.pending) file.durable = changed(file.durable, done);
    file.pending = [];
  }

  /** Each unsynced write reached the disk whole, in part or not at all, whatever came after it. */
  cut(dir: string, random: () => number): void {
    for (const [name, { durable, pending }] of this.#files) {
      let content: Buffer = Buffer.from(durable);
      for (const deed of pending) {
        const luck = random();
        if (luck < 0.4) content = changed(content, deed);
        else if (luck < 0.7 && deed.kind === 'write') content = changed(content, torn(deed, random));
      }
      writeFileSync(join(dir, name), content);
    }
  }
}

function changed(content: Buffer, { kind, offset, data }: Deed): Buffer {
  if (kind === 'truncate') {
    return offset <= content.length ? content.subarray(0, offset) : Buffer.concat([content], offset);
  }
  const grown = Buffer.concat([content], Math.max(content.length, offset + data.length)); // a copy
  data.copy(grown, offset);
  return grown;
}

/** Some of its sectors. */
function torn(deed: Deed, random: () => number): Deed {
  const sectors = Math.ceil(deed.data.length / sectorBytes);
  return { ...deed, data: deed.data.subarray(0, Math.floor(random() * sectors) * sectorBytes) };
}
