import { ServiceDefinitionError } from './errors.ts';
import type { ServiceDefinition } from './types.ts';
import { controlCharacter, shellQuote, shellWords } from './quote.ts';

/** In a service's environment: its name, by which it speaks of itself to the service manager. */
export const serviceVariable = 'KAGENT_SERVICE';

/** Of the process with this environment; undefined unless a service manager started it. */
export function serviceNameOf(env: Readonly<NodeJS.ProcessEnv>): string | undefined {
  return env[serviceVariable];
}

/**
 * Before anything is read or written by the definition: its name is part of paths, its words are part of lines.
 * @throws {ServiceDefinitionError}
 */
export function checkDefinition({ name, executable, args }: ServiceDefinition): void {
  checkServiceName(name);
  if (!/^\/[^'"\\]*$/.test(executable) || controlCharacter.test(executable)) {
    throw new ServiceDefinitionError(
      `the executable ${JSON.stringify(executable)} is no absolute path without quotes and backslashes, as service managers want it`,
    );
  }
  const broken = args.find((arg) => controlCharacter.test(arg));
  if (broken !== undefined) {
    throw new ServiceDefinitionError(
      `the argument ${JSON.stringify(broken)} has a line break or another control character, which a service's definition cannot hold`,
      { remedy: 'use config.yaml instead' },
    );
  }
}

/** @throws {ServiceDefinitionError} */
export function checkServiceName(name: string): void {
  if (/^[A-Za-z0-9][\w.@-]{0,199}$/.test(name)) return;
  throw new ServiceDefinitionError(
    `${JSON.stringify(name)} is no name of a service: letters, digits, '.', '_', '-' and '@', the first a letter or a digit`,
  );
}

/** For people. */
export function modeOf({ args: [mode] }: ServiceDefinition): 'server' | 'agent' {
  return mode === 'agent' ? mode : 'server';
}

const marker = '# kagent-service:';

/**
 * The first lines of each definition: whose it is, and its command in a form that is read back.
 * @throws {ServiceDefinitionError} for what would not stay in its line
 */
export function definitionHead(definition: ServiceDefinition): string {
  checkDefinition(definition);
  const { executable, args } = definition;
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
