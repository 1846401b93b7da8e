import { shellQuote, shellWords } from './quote.ts';

const marker = '# kagent-service:';

/** The first lines of each definition: whose it is, and its arguments in a form that is read back. */
export function definitionHead(args: readonly string[]): string {
  return `# Written by kagent's installer, which writes it anew; put settings into /etc/kagent/config.yaml.
${marker} ${args.map(shellQuote).join(' ')}`;
}

/** The arguments of a definition that kagent wrote; undefined for anybody else's file. */
export function argumentsIn(text: string): readonly string[] | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(marker));
  return line === undefined ? undefined : shellWords(line.slice(marker.length));
}
