/** One word for a POSIX shell, and for systemd's EnvironmentFile. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The words of a line that `shellQuote` made. */
export function shellWords(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\(.)/g, (_, quoted: string | undefined, escaped: string | undefined) =>
      quoted === undefined ? (escaped ?? '') : quoted,
    ),
  );
}

/** Text between double quotes in a shell script. */
export function shellDoubleQuote(text: string): string {
  return `"${text.replaceAll(/["$`\\]/g, (character) => `\\${character}`)}"`;
}

/** One word of ExecStart=. @see systemd.service(5), "Command lines"; `%` and `$` mean something there */
export function systemdQuote(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$'); // in a replacement, `$$` is one dollar
  if (/^[\w@%$+=:,./-]+$/.test(plain)) return plain;
  return `"${plain
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)}"`;
}
