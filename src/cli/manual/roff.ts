import type { Entry, Term } from './entry.ts';
import { leaves } from './entry.ts';

export interface ManPage {
  /** `kagent-token.1` */
  readonly file: string;
  readonly title: string;
  readonly about: string;
  readonly text: string;
}

export interface ManOptions {
  readonly program: string;
  readonly version: string;
  /** `2026-11-01` */
  readonly date: string;
}

/** A page for the program and one for each of its commands, in man(7)'s macros. */
export function manPages(root: Entry, options: ManOptions): readonly ManPage[] {
  const { program } = options;
  const titles = root.commands.map((entry) => [program, ...entry.path].join('-'));
  const commands = root.commands.map((entry, index) => {
    const related = [program, ...titles.filter((_, other) => other === index - 1 || other === index + 1)];
    return page(titles[index] ?? program, entry, commandSections(entry), related, options);
  });
  return [page(program, root, programSections(root, program), titles, options), ...commands];
}

function page(
  title: string,
  entry: Entry,
  sections: readonly string[],
  related: readonly string[],
  { version, date, program }: ManOptions,
): ManPage {
  const head = `.TH ${title.toUpperCase()} 1 "${date}" "${program} ${version}" "${program}"`;
  const also = related.map((one, index) => `.BR ${escaped(one)} (1)${index < related.length - 1 ? ' ,' : ''}`);
  const text = [
    head,
    '.SH NAME',
    ...wrapped(`${escaped(title)} \\- ${escaped(lowerFirst(entry.description))}`),
    '.SH SYNOPSIS',
    ...synopsis(entry),
    ...sections,
    '.SH SEE ALSO',
    ...also,
  ];
  return { file: `${title}.1`, title, about: entry.description, text: `${text.join('\n')}\n` };
}

const maxLine = 78;

const files: readonly Term[] = [
  { term: '/etc/kagent/config.yaml', about: 'Settings: every flag of server and agent, without its dashes, is a key.' },
  { term: '/etc/kagent/kagent.yaml', about: "The administrator's kubeconfig." },
  { term: '/var/lib/kagent', about: "The cluster's data; logs of the components are in logs below it." },
  { term: '/var/lib/kagent/server/manifests', about: 'Manifests that are applied to the cluster.' },
  { term: '/var/lib/kagent/server/node-token', about: 'The token with which nodes join.' },
];

const exitCodes: readonly Term[] = [
  { term: '0', about: 'Done.' },
  { term: '1', about: 'Failed; a sentence on stderr says why and what helps.' },
  { term: '2', about: 'Wrong usage, or an invalid setting.' },
  { term: '3', about: 'This node was removed from its cluster.' },
];

function programSections(root: Entry, program: string): readonly string[] {
  const commands = root.commands.map((entry) => ({
    term: [program, ...entry.path].join(' '),
    about: entry.description,
  }));
  return [
    '.SH DESCRIPTION',
    ...paragraph(`${root.description}. Each command has a page of its own: ${program}-server(1).`),
    '.SH COMMANDS',
    ...terms(commands),
    '.SH ENVIRONMENT',
    ...paragraph('Every flag of server and agent is a variable too: --node-name is KAGENT_NODE_NAME.'),
    '.SH FILES',
    ...terms(files),
    '.SH EXIT STATUS',
    ...terms(exitCodes),
  ];
}

function commandSections(entry: Entry): readonly string[] {
  return [
    ...(entry.aliases.length === 0 ? [] : ['.SH ALIASES', ...paragraph(entry.aliases.join(', '))]),
    ...titled('.SH ARGUMENTS', terms(entry.arguments)),
    ...titled('.SH OPTIONS', terms(entry.options)),
    ...titled('.SH COMMANDS', leaves(entry).flatMap(subcommand)),
    ...titled('.SH EXAMPLES', exampleLines(entry)),
  ];
}

function subcommand(entry: Entry): readonly string[] {
  const also = entry.aliases.length === 0 ? '' : ` Also: ${entry.aliases.join(', ')}.`;
  return [
    `.SS ${escaped(entry.path.slice(1).join(' '))}`,
    ...paragraph(`${entry.description}.${also}`),
    '.PP',
    ...synopsis(entry),
    ...terms([...entry.arguments, ...entry.options]),
    ...exampleLines(entry),
  ];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}

function synopsis({ usage }: Entry): readonly string[] {
  return wrapped(escaped(usage).replace(/^([^[<]*[^[< ])/, String.raw`\fB$1\fR`));
}

function terms(all: readonly Term[]): readonly string[] {
  return all.flatMap(({ term, about }) => [
    '.TP',
    `\\fB${escaped(term)}\\fR`,
    ...paragraph(about === '' ? 'As the command says.' : about),
  ]);
}

function exampleLines({ examples }: Entry): readonly string[] {
  return terms(examples.map(([line, about]) => ({ term: line, about: `${upperFirst(about)}.` })));
}

function paragraph(text: string): readonly string[] {
  return wrapped(escaped(text));
}

/** Lines of up to 80 letters; a dot or an apostrophe at the start of one would be a command. */
function wrapped(text: string): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`;
    if (longer.length <= maxLine || lines[last] === '') lines[last] = longer;
    else lines.push(word);
  }
  return lines.map((line) => line.replace(/^(?=[.'])/, String.raw`\&`));
}

/** Text that roff takes for text: on one line, with dashes that can be copied. */
function escaped(text: string): string {
  const plain = text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`);
  return plain.replaceAll('…', '...');
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) && !text.startsWith('Kubernetes')
    ? text.charAt(0).toLowerCase() + text.slice(1)
    : text;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
