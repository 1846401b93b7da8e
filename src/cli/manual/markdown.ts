import type { Entry, Term } from './entry.ts';
import { leaves } from './entry.ts';

/** docs/commands.md: every command, its flags, an example. `kagent man --markdown >docs/commands.md` writes it anew. */
export function commandsDoc(root: Entry): string {
  return `# Commands

Every command of kagent, generated from the commands themselves. \`kagent COMMAND --help\` says the same, and so do the man pages
(\`kagent man --install DIR\`). The settings of server and agent are explained in [config.md](config.md), their errors
in [errors.md](errors.md).

${leaves(root).map(section).join('\n')}`;
}

function section(entry: Entry): string {
  const { path, description, usage, aliases } = entry;
  const also = aliases.length === 0 ? '' : ` Also: ${aliases.map((alias) => `\`${alias}\``).join(', ')}.`;
  const examples = entry.examples.map(([line, about]) => `# ${about}\n${line}`).join('\n');
  return [
    `## kagent ${path.join(' ')}\n\n${description}.${also}\n\n\`${usage}\`\n`,
    ...list([...entry.arguments, ...entry.options]),
    ...(examples === '' ? [] : [`\`\`\`sh\n${examples}\n\`\`\`\n`]),
  ].join('\n');
}

function list(terms: readonly Term[]): readonly string[] {
  if (terms.length === 0) return [];
  return [
    terms
      .map(({ term, about }) => `- \`${term}\`${about === '' ? '' : `: ${about.replaceAll('<', String.raw`\<`)}`}\n`)
      .join(''),
  ];
}
