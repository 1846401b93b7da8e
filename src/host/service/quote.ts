/**
 * One function for each reader of a service's files, since no two read alike. None is given a line break: `definition.ts`
 * and `env-file.ts` refuse it.
 */

/** What a reader of any kind ends a line or a text at, or refuses. A tab is none. */
export const controlCharacter = /[\0-\x08\n-\x1f\x7f]/; // oxlint-disable-line no-control-regex

const plain = /^[\w@%+=:,./-]+$/;

/** One word for a POSIX shell. */
export function shellQuote(word: string): string {
  return plain.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Text between double quotes in a shell script. */
export function shellDoubleQuote(text: string): string {
  return `"${text.replaceAll(/["$`\\]/g, (character) => `\\${character}`)}"`;
}

/**
 * A value for systemd's EnvironmentFile= that a shell which reads the same file takes for the same. After a quote that was
 * closed, systemd takes the next one as it is, so that `'it'\''s'` is `it''s` there; between double quotes both escape alike.
 * @see systemd v252 src/basic/env-file.c, `SHELL_NEED_ESCAPE`
 */
export function environmentQuote(value: string): string {
  return plain.test(value) ? value : shellDoubleQuote(value);
}

/** The words of a line that `shellQuote` or `environmentQuote` made, or a person in their manner. */
export function shellWords(line: string): readonly string[] {
  const part = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|[^\s'"\\]+/g;
  return [...line.matchAll(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+/g)].map(([word]) =>
    word.replaceAll(part, (whole, single?: string, double?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? whole) : double.replaceAll(/\\(["$`\\])/g, '$1'),
    ),
  );
}

/** One word of ExecStart= after the first. @see systemd.service(5), "Command lines"; `%` and `$` mean something there */
export function systemdQuote(word: string): string {
  return systemdWord(word.replaceAll('$', '$$$$')); // in a replacement, `$$` is one dollar
}

/** The first one, a path in which no variable is looked for; systemd refuses quotes and backslashes in it. */
export function systemdExecutable(path: string): string {
  return systemdWord(path);
}

function systemdWord(word: string): string {
  const text = systemdPath(word);
  if (/^[\w@%$+=:,./-]+$/.test(text)) return text;
  return `"${text.replaceAll(/[\\"]/g, (character) => `\\${character}`)}"`;
}

/** The rest of a line, as in EnvironmentFile=. */
export function systemdPath(path: string): string {
  return path.replaceAll('%', '%%');
}

/**
 * Words for OpenRC's `command` and `command_args`, which it puts unquoted into an `eval`: white space in them would be one
 * blank, and patterns would become names of files. So a word that is not plain is a variable's value, and the variable's name
 * is what is split and evaluated.
 * @see OpenRC 0.62 sh/supervise-daemon.sh
 */
export function openrcWords(words: readonly string[], variable: string) {
  const isPlain = (word: string): boolean => plain.test(word);
  const nameOf = (index: number): string => `${variable}_${index}`;
  return {
    assignments: words.flatMap((word, index) => (isPlain(word) ? [] : [`${nameOf(index)}=${shellQuote(word)}`])),
    /** Of plain words and variables, so that it has no single quote in it. */
    line: `'${words.map((word, index) => (isPlain(word) ? word : `"$${nameOf(index)}"`)).join(' ')}'`,
  };
}
