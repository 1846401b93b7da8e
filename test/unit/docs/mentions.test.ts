import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { knownCommands, mentionsInDoc, mentionsInSource, parse, pathOf, unknownFlags } from './mentions.ts';
import type { Known, Mention } from './mentions.ts';

const root = resolve(import.meta.dirname, '../../..');
const known = knownCommands(
  execFileSync(process.execPath, ['src/main.ts', 'man', '--markdown'], { cwd: root, encoding: 'utf8' }),
);
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const filesIn = (folder: string, ending: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file));

const docs = ['README.md', ...filesIn('docs', '.md')].flatMap((file) => mentionsInDoc(file, read(file)));
const messages = filesIn('src', '.ts').flatMap((file) => mentionsInSource(file, read(file)));

/** What follows the name where a sentence is about the program: a sentence that needs another word adds it here. */
const inSentences = new Set(
  `a adds again already always among and another answers as asks at brings come could does enables ended ends executable first for from
  gives goes had has here if in installs is issues itself keeps knows listens loads logs made makes must names needs not of off offline on or
  renews runs saved says sets speaks starts stopped takes tells that there to turns until use waits was when with would writes wrote`.split(
    /\s+/,
  ),
);

const isGroup = (word: string) => [...known.keys()].some((path) => path.startsWith(`${word} `));
const isPlaceholder = (word: string) => !/^[a-z]/.test(word);

/** Why somebody who typed this would be told that it is wrong. */
function problemsOf({ words, isLine }: Mention): readonly string[] {
  const path = pathOf(words, known);
  if (path === undefined) return isNamed(words) ? [] : ['there is no such command'];
  const command = known.get(path) ?? { options: [], args: [] };
  const rest = words.slice(path.split(' ').length);
  return isLine ? problemsOfLine(command, rest) : unknownFlags(command, rest).map((flag) => `unknown option ${flag}`);
}

/** `kagent is …`, `kagent datastore`, `kagent lab COMMAND`. */
function isNamed([first = '', second = '', ...rest]: readonly string[]): boolean {
  if (isGroup(first)) return isPlaceholder(second) || (isGroup(`${first} ${second}`) && isPlaceholder(rest[0] ?? ''));
  return inSentences.has(first) || isPlaceholder(first);
}

function problemsOfLine(command: Known, words: readonly string[]): readonly string[] {
  try {
    parse(command, words);
    return [];
  } catch (error) {
    return [String(error)];
  }
}

const wrong = (mentions: readonly Mention[]) =>
  mentions.flatMap((mention) =>
    problemsOf(mention).map((problem) => `${mention.where}: kagent ${mention.words.join(' ')}: ${problem}`),
  );

test('every command that docs/ and README.md name is there, with its flags and arguments', () => {
  expect(docs.length).toBeGreaterThan(350);
  expect(wrong(docs)).toEqual([]);
});

test('every command that a message or a help text names is there, with its flags', () => {
  expect(messages.length).toBeGreaterThan(250);
  expect(wrong(messages)).toEqual([]);
});

test('a command, a flag and an argument that are not there are found', () => {
  const text = [
    'Type `kagent datastore restore FILE`, `kagent check` or `kagent token create --role server --tll 1h`; `kagent is` fine.',
    '```console',
    '$ sudo kagent node show',
    '$ sudo kagent node show a1 # all of it',
    '$ sudo kagent etcd-snapshot restore NAME --force',
    '```',
  ].join('\n');
  const problems = mentionsInDoc('page', text).flatMap(problemsOf);
  expect(problems.toSorted()).toEqual([
    "CommanderError: error: missing required argument 'name'",
    "CommanderError: error: unknown option '--force'",
    'there is no such command',
    'there is no such command',
    'unknown option --tll',
  ]);
  const source = `throw new Error("stop kagent and use kagent datastore restore"); // kagent heals itself\nsay('kagent heals it');`;
  expect(wrong(mentionsInSource('file', source))).toEqual([
    'file: kagent datastore restore: there is no such command',
    'file: kagent heals it: there is no such command',
  ]);
});
