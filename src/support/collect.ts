import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../shared/errors.ts';
import { plainLine } from '../shared/plain-text/plain-text.ts';
import type { ArchiveFile } from './archive.ts';
import type { Part } from './parts.ts';
import type { Redactor } from './redact.ts';

export interface CollectOptions {
  readonly redactor: Redactor;
  /** For each part; commands have their own, a little shorter. */
  readonly timeoutMs: number;
  readonly maxPartBytes: number;
  /** Of all texts together; parts that come first have it. */
  readonly maxBytes: number;
}

export interface Collected {
  readonly files: readonly ArchiveFile[];
  /** One sentence for each part that could not be had. */
  readonly errors: readonly string[];
}

const atOnce = 4;

/** Every part, within its time; one that fails is named in `errors`. */
export async function collect(parts: readonly Part[], options: CollectOptions): Promise<Collected> {
  const { redactor, maxPartBytes, maxBytes } = options;
  const results: (ArchiveFile | string | undefined)[] = [];
  const waiting = [...parts.entries()];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, part] = next;
      results[index] = await one(part, options.timeoutMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const files: ArchiveFile[] = [];
  const errors: string[] = [];
  let left = maxBytes;
  for (const result of results) {
    if (result === undefined) continue;
    if (typeof result === 'string') {
      errors.push(redactor.clean(result));
      continue;
    }
    const text = redactor.clean(result.text.slice(0, maxPartBytes));
    if (text.length > left) errors.push(`${result.name}: left out, the archive would be too large`);
    else files.push({ name: result.name, text });
    left -= Math.min(left, text.length);
  }
  return { files, errors };
}

async function one(part: Part, timeoutMs: number): Promise<ArchiveFile | string | undefined> {
  const name = part.name.replaceAll(/\/+/g, '/');
  const late = new AbortController();
  try {
    const text = await Promise.race([
      (async () => part.read())(),
      delay(timeoutMs, undefined, { signal: late.signal }).then(() => {
        throw new TypeError(`nothing within ${timeoutMs / 1000} s`);
      }),
    ]);
    return text === undefined ? undefined : { name, text };
  } catch (error) {
    return `${name}: ${plainLine(messageOf(error))}`;
  } finally {
    late.abort();
  }
}
