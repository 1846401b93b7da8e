import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A command of the tree as a shell sees it: `kagent service install` has the path `service install`. */
interface Level {
  readonly path: readonly string[];
  readonly words: readonly Word[];
}
interface Word {
  readonly text: string;
  readonly about: string;
  /** A flag after which a value is typed: one of `choices` is offered for it, a file where there are none. */
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** The script that a shell loads: `source <(kagent completion bash)`. */
export function completionScript(program: Command, shell: Shell): string {
  const levels = levelsOf(program, []);
  switch (shell) {
    case 'bash':
      return bashScript(program.name(), levels);
    case 'zsh':
      return zshScript(program.name(), levels);
    case 'fish':
      return fishScript(program.name(), levels);
  }
}

function levelsOf(command: Command, path: readonly string[]): readonly Level[] {
  const help = command.createHelp();
  // What help shows, so hidden commands stay hidden here too.
  const commands = help.visibleCommands(command);
  const options = help.visibleOptions(command).flatMap(wordsOf);
  const words = [
    ...commands.map((child) => word(child.name(), child.description())),
    ...options,
    ...command.registeredArguments.flatMap((argument) =>
      (argument.argChoices ?? []).map((text) => word(text, argument.description)),
    ),
  ];
  const below = commands.filter((child) => child.name() !== 'help');
  // Aliases are not offered, but what follows them is.
  const named = below.flatMap((child) => [child.name(), ...child.aliases()].map((name) => ({ child, name })));
  return [{ path, words }, ...named.flatMap(({ child, name }) => levelsOf(child, [...path, name]))];
}

function word(text: string, about: string): Word {
  return { text, about, takesValue: false, choices: [] };
}

function wordsOf(option: Option): readonly Word[] {
  const names = [option.long, option.short].filter((name): name is string => typeof name === 'string');
  const { description: about, required: takesValue, argChoices: choices = [] } = option;
  return names.map((text) => ({ text, about, takesValue, choices }));
}

/** The words so far are walked down the tree: one that is a command of the present level leads a level down. */
function bashScript(name: string, levels: readonly Level[]): string {
  const cases = levels.map(
    ({ path, words }) => `    ${caseOf(path)}) words='${words.map((word) => word.text).join(' ')}' ;;`,
  );
  return `# bash completion for ${name}: source <(${name} completion bash)
_${name}_words() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} level='' words='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    if _${name}_words "\${level:+$level }\${COMP_WORDS[index]}"; then level="\${level:+$level }\${COMP_WORDS[index]}"; fi
  done
  case "$level \${COMP_WORDS[COMP_CWORD - 1]}" in
${choiceCases(levels, (choices) => `mapfile -t COMPREPLY < <(compgen -W '${choices}' -- "$current"); return`)}
    ${valueFlags(levels)}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  _${name}_words "$level"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _${name} ${name}
`;
}

function caseOf(path: readonly string[]): string {
  return `'${path.join(' ')}'`;
}

function valueFlags(levels: readonly Level[]): string {
  const flags = levels.flatMap(({ path, words }) =>
    words.filter((word) => word.takesValue).map((word) => `'${path.join(' ')} ${word.text}'`),
  );
  return flags.length === 0 ? "''" : flags.join(' | ');
}

/** A line for each flag that has choices; they come before those that take any value. */
function choiceCases(levels: readonly Level[], action: (choices: string) => string): string {
  const lines = levels.flatMap(({ path, words }) =>
    words
      .filter(({ choices }) => choices.length > 0)
      .map(({ text, choices }) => `    ${caseOf([...path, text])}) ${action(choices.join(' '))} ;;`),
  );
  return lines.join('\n');
}

function zshScript(name: string, levels: readonly Level[]): string {
  const cases = levels.map(({ path, words }) => {
    const described = words.map(({ text, about }) => zshQuote(`${text.replaceAll(':', String.raw`\:`)}:${about}`));
    return `    ${caseOf(path)}) words_here=(${described.join(' ')}) ;;`;
  });
  return `#compdef ${name}
# zsh completion for ${name}: source <(${name} completion zsh)
_${name}_words() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_${name}() {
  local level='' index
  local -a words_here
  for ((index = 2; index < CURRENT; index++)); do
    if _${name}_words "\${level:+$level }\${words[index]}"; then level="\${level:+$level }\${words[index]}"; fi
  done
  case "$level \${words[CURRENT - 1]}" in
${choiceCases(levels, (choices) => `compadd -- ${choices}; return`)}
    ${valueFlags(levels)}) _files; return ;;
  esac
  _${name}_words "$level"
  _describe '${name}' words_here
}
compdef _${name} ${name}
`;
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function fishScript(name: string, levels: readonly Level[]): string {
  const known = levels.map(({ path }) => path.join(' ')).filter((path) => path !== '');
  const lines = levels.flatMap(({ path, words }) =>
    words.map(({ text, about, takesValue, choices }) => {
      const condition = `-n '__${name}_level_is "${path.join(' ')}"'`;
      const value = choices.length > 0 ? ` -x -a ${fishQuote(choices.join(' '))}` : takesValue ? ' -r -F' : ' -f';
      return `complete -c ${name} ${condition}${value} ${fishWord(text)} -d ${fishQuote(about)}`;
    }),
  );
  return `# fish completion for ${name}: ${name} completion fish | source
function __${name}_level_is
  set -l level ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$level $word")
    if contains -- $next ${known.map(fishQuote).join(' ')}
      set level $next
    end
  end
  test "$level" = "$argv[1]"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

function fishWord(text: string): string {
  if (text.startsWith('--')) return `-l ${text.slice(2)}`;
  if (text.startsWith('-')) return `-s ${text.slice(1)}`;
  return `-a ${fishQuote(text)}`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
