/**
 * Unified diffs, applied exactly: the lines that a hunk changes, with the lines around them, have to be in the file once and
 * only once, wherever that is. Nothing is guessed: where upstream has changed them, the build ends with a sentence.
 */
export interface Patch {
  /** Of its file, for messages. */
  readonly name: string;
  /** Why it is there: the text before the first file. */
  readonly reason: string;
  readonly files: readonly FilePatch[];
}

export interface FilePatch {
  /** From the module's root. */
  readonly path: string;
  readonly hunks: readonly Hunk[];
}

/** What is there, and what shall be: the lines around a change are in both. */
interface Hunk {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const hunkHeader = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;
/** What git writes between two files. */
const between = /^(diff |index |$)/;

/** @throws if it is anything but changes of files that are there */
export function parsePatch(name: string, text: string): Patch {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith('--- a/'));
  if (first < 0) throw new Error(`${name} changes no file: it has no line that begins with "--- a/"`);
  const reason = lines.slice(0, first).filter((line) => !between.test(line));
  const files: { path: string; hunks: Hunk[] }[] = [];
  for (let at = first; at < lines.length;) {
    const line = lines[at] ?? '';
    const last = files.at(-1);
    if (line.startsWith('--- a/') && lines[at + 1] === `+++ b/${line.slice('--- a/'.length)}`) {
      files.push({ path: line.slice('--- a/'.length), hunks: [] });
      at += 2;
    } else if (hunkHeader.test(line) && last !== undefined) {
      const hunk = parseHunk(lines, at, name);
      last.hunks.push(hunk);
      at += 1 + hunk.length;
    } else if (between.test(line)) at += 1;
    else throw new Error(`line ${at + 1} of ${name} is not understood: ${line}`);
  }
  return { name, reason: reason.join('\n'), files };
}

/** @param at the line of its header @returns `length` is how many lines it has below that */
function parseHunk(lines: readonly string[], at: number, name: string): Hunk & { readonly length: number } {
  const [, removed = '1', added = '1'] = hunkHeader.exec(lines[at] ?? '') ?? [];
  const before: string[] = [];
  const after: string[] = [];
  let length = 0;
  while (before.length < Number(removed) || after.length < Number(added)) {
    length += 1;
    const line = lines[at + length] ?? '';
    const kind = line[0];
    if (kind !== ' ' && kind !== '-' && kind !== '+') {
      throw new Error(`line ${at + length + 1} of ${name} is not understood: ${line}`);
    }
    if (kind !== '+') before.push(line.slice(1));
    if (kind !== '-') after.push(line.slice(1));
  }
  if (before.length !== Number(removed) || after.length !== Number(added)) {
    throw new Error(`the hunk in line ${at + 1} of ${name} has other lines than it says`);
  }
  return { before, after, length };
}

/** @throws if the lines of a hunk are not there, or more than once */
export function applyPatch(content: string, { path, hunks }: FilePatch, patch: string): string {
  let lines = content.split('\n');
  for (const { before, after } of hunks) {
    const places = placesOf(before, lines);
    const [place] = places;
    if (place === undefined || places.length > 1) {
      const found = place === undefined ? 'not there' : `there ${places.length} times`;
      throw new Error(
        `${patch} does not fit ${path} any more: these lines are ${found}. Adapt the patch to this version, or remove it if upstream has the change.\n${before.join('\n')}`,
      );
    }
    lines = lines.toSpliced(place, before.length, ...after);
  }
  return lines.join('\n');
}

function placesOf(wanted: readonly string[], lines: readonly string[]): number[] {
  if (wanted.length === 0) return [];
  return [...lines.keys()].filter((at) => wanted.every((line, offset) => lines[at + offset] === line));
}
