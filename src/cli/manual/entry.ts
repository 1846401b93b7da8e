import type { Command } from 'commander';
import { examples } from './examples.ts';
import type { Example } from './examples.ts';

/** A command as a page has it. */
export interface Entry {
  /** Words after the program's name: `token create`; empty for the program. */
  readonly path: readonly string[];
  readonly description: string;
  /** `kagent token create [options] [token]` */
  readonly usage: string;
  readonly aliases: readonly string[];
  readonly arguments: readonly Term[];
  readonly options: readonly Term[];
  readonly commands: readonly Entry[];
  readonly examples: readonly Example[];
}

export interface Term {
  /** `-o, --output <form>` */
  readonly term: string;
  readonly about: string;
}

/** Of the whole tree, without what is hidden in help. */
export function describe(command: Command, path: readonly string[] = []): Entry {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter((option) => option.long !== '--help');
  const commands = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  return {
    path,
    description: command.description(),
    usage: help.commandUsage(command).replace(`${command.name()}|${command.alias()}`, command.name()),
    aliases: command.aliases(),
    arguments: help.visibleArguments(command).map((argument) => ({
      term: help.argumentTerm(argument),
      about: help.argumentDescription(argument),
    })),
    options: options.map((option) => ({ term: help.optionTerm(option), about: plain(help.optionDescription(option)) })),
    commands: commands.map((child) => describe(child, [...path, child.name()])),
    examples: examples[path.join(' ')] ?? [],
  };
}

/** Without defaults that say nothing. */
function plain(about: string): string {
  return about.replace(/ ?\((?:preset: "true"|default: (?:false|""|\[\]))\)$/, '');
}

/** The commands below that are typed themselves: those without others below them. */
export function leaves(entry: Entry): readonly Entry[] {
  return entry.commands.flatMap((child) => (child.commands.length === 0 ? [child] : leaves(child)));
}
