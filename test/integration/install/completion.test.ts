import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { expect, test } from 'vitest';
import { completionScript } from '../../../src/cli/completion.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

function program(): Command {
  const kagent = new Command('kagent').option('-v, --verbose', "says what it does, also what it's waiting for");
  kagent
    .command('server')
    .description('Run a server: [all] of it')
    .option('--node-name <name>', 'name')
    .option('--disable-agent');
  kagent.command('secret', { hidden: true }).description('not for people');
  const token = kagent.command('token').description('Tokens');
  const role = new Option('--role <role>', 'what may join').choices(['agent', 'server']);
  token.command('create').alias('new').option('--ttl <duration>', 'how long').addOption(role);
  token.command('list');
  return kagent;
}

function scriptFile(shell: 'bash' | 'zsh' | 'fish'): string {
  const path = join(temporaryDir(), `kagent.${shell}`);
  writeFileSync(path, completionScript(program(), shell));
  return path;
}

/** What a real bash offers after these words; the last one is being typed. */
function offeredByBash(...words: readonly string[]): readonly string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const script = `source ${scriptFile('bash')}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}
$(complete -p kagent | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8', cwd: temporaryDir() });
  return said.split('\n').filter((word) => word !== '');
}

test('bash offers commands, then the flags and commands below, and nothing hidden', () => {
  expect(offeredByBash('kagent', '')).toEqual(expect.arrayContaining(['server', 'token', '--verbose', '-v']));
  expect(offeredByBash('kagent', '')).not.toContain('secret');
  expect(offeredByBash('kagent', 'se')).toEqual(['server']);
  expect(offeredByBash('kagent', 'server', '--')).toEqual(['--node-name', '--disable-agent', '--help']);
  expect(offeredByBash('kagent', 'token', '')).toEqual(expect.arrayContaining(['create', 'list']));
  expect(offeredByBash('kagent', '-v', 'token', 'create', '--t')).toEqual(['--ttl']);
});

test("a flag's value is not taken for a command, and files are offered for it", () => {
  expect(offeredByBash('kagent', 'server', '--node-name', 'x', '--dis')).toEqual(['--disable-agent']);
  expect(offeredByBash('kagent', 'server', '--node-name', '/etc/pass')).toEqual(
    expect.arrayContaining(['/etc/passwd']),
  );
});

test('the values a flag may have are offered for it, also behind the other name of a command', () => {
  expect(offeredByBash('kagent', 'token', 'create', '--role', '')).toEqual(['agent', 'server']);
  expect(offeredByBash('kagent', 'token', 'new', '--role', 's')).toEqual(['server']);
  expect(offeredByBash('kagent', 'token', 'new', '--t')).toEqual(['--ttl']);
  expect(offeredByBash('kagent', 'token', 'n')).toEqual([]);
});

test('zsh reads its script without complaint and offers the same commands', () => {
  const path = scriptFile('zsh');
  const script = `autoload -Uz compinit && compinit -D; source ${path}
_describe() { print -l -- "\${(@P)2}" }; words=(kagent token ''); CURRENT=3; _kagent`;
  const said = execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
  expect(said).toMatch(/^create:/m);
  expect(said).toMatch(/^list:/m);
  expect(said).not.toMatch(/^server:/m);
});

test('fish offers what fits the words so far', () => {
  const path = scriptFile('fish');
  const offered = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source ${path}; complete -C '${line}'`], { encoding: 'utf8' })
      .trimEnd()
      .split('\n')
      .map((entry) => entry.split('\t')[0]);
  expect(offered('kagent ')).toEqual(expect.arrayContaining(['server', 'token']));
  expect(offered('kagent token ')).toEqual(expect.arrayContaining(['create', 'list']));
  expect(offered('kagent token ')).not.toContain('server');
  expect(offered('kagent server --dis')).toEqual(['--disable-agent']);
  expect(offered('kagent token new --role ')).toEqual(['agent', 'server']);
});
