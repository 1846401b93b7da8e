/** Where docs and messages name a command of kagent, and what the commands themselves say of it. */
import { Command } from 'commander';

/** A command of the real tree, as `kagent man --markdown` prints it. */
export interface Known {
  /** `--ttl <duration>` */
  readonly options: readonly string[];
  /** `<name>`, `[flags...]` */
  readonly args: readonly string[];
}

export interface Mention {
  readonly where: string;
  /** The words after `kagent`, up to the end of the command. */
  readonly words: readonly string[];
  /** A line to type, rather than words in a sentence. */
  readonly isLine: boolean;
}

/** Commands by their words: `token create`. Aliases too. */
export function knownCommands(doc: string): ReadonlyMap<string, Known> {
  return new Map(
    doc
      .split(/^## kagent /m)
      .slice(1)
      .flatMap(commandsIn),
  );
}

function commandsIn(section: string): readonly (readonly [string, Known])[] {
  const path = section.split('\n', 1).join('');
  const usage = /^`kagent (.*)`$/m.exec(section)?.[1] ?? '';
  const aliases = [...(/ Also: (.*)\.$/m.exec(section)?.[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, alias]) => alias);
  const known: Known = {
    options: [...section.matchAll(/^- `(-[^`]+)`/gm)].map(([, option = '']) => option),
    args: usage.split(' ').filter((word) => /^[<[]/.test(word) && word !== '[options]'),
  };
  const group = path.split(' ').slice(0, -1);
  return [path, ...aliases.map((alias) => [...group, alias].join(' '))].map((one) => [one, known]);
}

const block = /^ *```.*\n([^]*?)^ *```/gm;

/** Lines of code blocks, and code in sentences. */
export function mentionsInDoc(where: string, text: string): readonly Mention[] {
  const lines = [...text.matchAll(block)].flatMap(([, inside = '']) => inside.replaceAll(/ +# .*/g, '').split('\n'));
  const spans = [...text.replaceAll(block, '').matchAll(/`([^`]+)`/g)].map(([, inside = '']) => inside);
  return [
    ...lines.flatMap((line) => mentionsIn(where, line, /^(?:\$ )?(?:sudo )?kagent /.test(line))),
    ...spans.flatMap((span) => mentionsIn(where, span.replaceAll('\n', ' '), false)),
  ];
}

/** String literals of a source file; its comments are for those who have the code before them. */
export function mentionsInSource(where: string, text: string): readonly Mention[] {
  const code = text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/(?:^|\s)\/\/.*$/gm, '');
  const literals = code.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g);
  return [...literals].flatMap(([literal]) => mentionsIn(where, literal.slice(1, -1), false));
}

/** A command ends with its line or its sentence, with a closing quote, or where the shell has another one. */
function mentionsIn(where: string, text: string, isLine: boolean): readonly Mention[] {
  const found = text.matchAll(/(?<![\w./@:-])(?<!rc-service )kagent (?<rest>(?:(?! kagent )[^\n|;&>`])*)/g);
  return [...found].map(({ groups: { rest = '' } = {} }) => {
    const command = isLine ? rest : rest.replace(/(?:[.,:'")]+(?= |$)| \().*/s, '');
    return { where, words: command.match(/"[^"]*"|'[^']*'|\S+/g) ?? [], isLine };
  });
}

/** The command that the words begin with. */
export function pathOf(words: readonly string[], known: ReadonlyMap<string, Known>): string | undefined {
  return [3, 2, 1].map((length) => words.slice(0, length).join(' ')).find((path) => known.has(path));
}

/** As commander takes the words after the command's own. @throws what it would say */
export function parse({ options, args }: Known, words: readonly string[]): void {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of options) command.option(option);
  for (const arg of args) command.argument(arg);
  if (args.some((arg) => arg.includes('...'))) command.allowUnknownOption().passThroughOptions();
  command.action(() => {}).parse(words, { from: 'user' });
}

/** Flags in a sentence that the command does not have. */
export function unknownFlags({ options, args }: Known, words: readonly string[]): readonly string[] {
  if (args.some((arg) => arg.includes('...'))) return []; // another program's, or another command's
  const flags = words.flatMap((word) => /^\[?(--?[a-z][\w-]*)/.exec(word)?.[1] ?? []);
  const names = new Set(options.flatMap((option) => option.match(/--?[a-z][\w-]*/g) ?? []));
  return flags.filter((flag) => !names.has(flag) && !['--help', '-h'].includes(flag));
}
