import { readFileSync } from 'node:fs';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { pinImage, pullImage, tagsOf } from './containerd-api.ts';
import { ImageListError } from './errors.ts';

/** Far longer than any list. */
const maxBytes = 1024 * 1024;
const maxProblems = 5;

/** One image a line; empty lines and comments are none. */
export function imagesInList(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * Pulls, one after another, what is not there, and keeps it from being collected.
 * @throws {ImageListError} for what is no list, and when all is tried for the images that are not there
 */
export async function pullList(
  path: string,
  { socketPath, log }: { readonly socketPath: string; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const problems: string[] = [];
  for (const name of imagesInList(textOf(path))) {
    try {
      if (!/^[\w.:/@[\]-]+$/.test(name)) throw new Error('this is not the name of an image');
      const there = await tagsOf(socketPath, name, signal);
      if (there === undefined) {
        log.info('pulling an image of a list', { list: path, image: name });
        await pullImage(socketPath, name, signal);
      }
      for (const tag of there ?? (await tagsOf(socketPath, name, signal)) ?? [])
        await pinImage(socketPath, tag, signal);
    } catch (error) {
      signal.throwIfAborted();
      problems.push(`${name}: ${messageOf(error)}`);
    }
  }
  if (problems.length === 0) return;
  const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : '';
  throw new ImageListError(path, `${problems.slice(0, maxProblems).join('; ')}${more}`);
}

function textOf(path: string): string {
  try {
    const content = readFileSync(path);
    if (content.length > maxBytes) throw new Error(`it has over ${maxBytes} bytes`);
    if (content.includes(0)) throw new Error('it is not a text');
    return content.toString('utf8');
  } catch (cause) {
    throw new ImageListError(path, messageOf(cause), { cause });
  }
}
