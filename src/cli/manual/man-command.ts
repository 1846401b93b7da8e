import { join } from 'node:path';
import { Command, Option } from 'commander';
import { KagentError } from '../../shared/errors.ts';
import { makeFolder, writeFileIfChanged } from '../../shared/files/files.ts';
import { buildDate, version } from '../../shared/version/version.ts';
import { describe } from './entry.ts';
import { commandsDoc } from './markdown.ts';
import { manPages } from './roff.ts';

export class ManPageUnknownError extends KagentError {
  readonly code = 'MAN_PAGE_UNKNOWN';
  readonly fault = 'operator';
  constructor(page: string) {
    super(`there is no page '${page}'`, { remedy: "'kagent man' lists them" });
  }
}

interface ManFlags {
  readonly install?: string;
  readonly markdown?: boolean;
}

export function manCommand(program: Command): Command {
  return new Command('man')
    .description('List the man pages, print one, or install them all')
    .argument('[page]', "the command: token, or kagent-token; without it, 'kagent man' lists the pages")
    .option('--install <folder>', 'write every page there, such as /usr/local/share/man/man1')
    .addOption(new Option('--markdown', 'print docs/commands.md').hideHelp())
    .action((name: string | undefined, { install, markdown = false }: ManFlags) => {
      const root = describe(program);
      const pages = manPages(root, { program: program.name(), version, date: buildDate.slice(0, 10) });
      if (markdown) print(commandsDoc(root));
      else if (install !== undefined) {
        makeFolder(install, 0o755);
        const written = pages.filter(({ file, text }) => writeFileIfChanged(join(install, file), text, 0o644));
        if (written.length > 0) print(`wrote ${written.length} man pages into ${install}\n`);
      } else if (name === undefined) {
        const width = Math.max(...pages.map(({ title }) => title.length));
        print(pages.map(({ title, about }) => `${title.padEnd(width)}   ${about}\n`).join(''));
      } else {
        const page = pages.find(({ title }) => title === name || title === `${program.name()}-${name}`);
        if (page === undefined) throw new ManPageUnknownError(name);
        print(page.text);
      }
    });
}

function print(text: string): void {
  process.stdout.write(text);
}
