import type { ServiceDefinition } from './service.ts';
import { shellQuote, shellWords } from './quote.ts';

/** In a service's environment: its name, by which it speaks of itself to the service manager. */
export const serviceVariable = 'KAGENT_SERVICE';

/** Of the process with this environment; undefined unless a service manager started it. */
export function serviceNameOf(env: Readonly<NodeJS.ProcessEnv>): string | undefined {
  return env[serviceVariable];
}

const marker = '# kagent-service:';

/** The first lines of each definition: whose it is, and its command in a form that is read back. */
export function definitionHead({ executable, args }: ServiceDefinition): string {
  return `# Written by kagent's installer, which writes it anew; put settings into /etc/kagent/config.yaml.
${marker} ${[executable, ...args].map(shellQuote).join(' ')}`;
}

export interface ServiceCommandLine {
  readonly executable: string;
  readonly args: readonly string[];
}

/** The command of a definition that kagent wrote; undefined for anybody else's file. */
export function commandIn(text: string): ServiceCommandLine | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(marker));
  if (line === undefined) return undefined;
  const [executable = '', ...args] = shellWords(line.slice(marker.length));
  return { executable, args };
}
