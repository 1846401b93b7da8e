import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addExamples, describe, manPages } from '../../../../src/cli/manual/manual.ts';

function program(): Command {
  const tool = new Command('tool').description('A tool');
  tool
    .command('version')
    .alias('v')
    .description(String.raw`Show \all of it`)
    .option('--deep-look', '.dots are kept');
  const token = tool.command('token').description('What lets boxes join');
  token
    .command('create')
    .description(`Long ${'words '.repeat(30)}.end`)
    .argument('<name>', 'a name')
    .option('-f', 'F', false);
  tool.command('secret', { hidden: true }).description('not for people');
  return tool;
}

const pages = manPages(describe(program()), { program: 'tool', version: '1.2.3', date: '2026-11-01' });
const textOf = (title: string) => pages.find((page) => page.title === title)?.text ?? '';

test('there is a page for the program and one for each command, hidden ones apart', () => {
  expect(pages.map(({ file }) => file)).toEqual(['tool.1', 'tool-version.1', 'tool-token.1']);
  expect(textOf('tool')).toContain('.TH TOOL 1 "2026-11-01" "tool 1.2.3" "tool"\n');
  expect(pages.map(({ text }) => text).join('')).not.toContain('secret');
});

test('nothing in a text is taken for a command of roff, and dashes can be copied', () => {
  expect(textOf('tool-version')).toContain('\ntool\\-version \\- show \\eall of it\n');
  expect(textOf('tool-version')).toContain('\n.TP\n\\fB\\-\\-deep\\-look\\fR\n\\&.dots are kept\n');
  expect(textOf('tool-version')).toContain('\n.SH ALIASES\nv\n');
});

test('lines are short, and a command of a command is a section of its page', () => {
  const text = textOf('tool-token');
  expect(text).toContain('\n.SS create\n');
  expect(text).toContain('\n\\fB<name>\\fR\na name\n'.replace('<name>', 'name'));
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(text).not.toContain('default');
});

test('help has the examples of its command', () => {
  const kagent = new Command('kagent');
  const create = kagent.command('token').command('create');
  addExamples(kagent);
  let help = '';
  create.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  expect(help).toMatch(/\nExamples:\n {2}kagent token create /);
});
