import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { examples } from '../../../src/cli/manual/manual.ts';

const root = resolve(import.meta.dirname, '../../..');
const kagent = (...args: readonly string[]) =>
  execFileSync(process.execPath, ['src/main.ts', ...args], { cwd: root, encoding: 'utf8' });
const doc = kagent('man', '--markdown');
/** `token create` → what is said about it. */
const sections = new Map(doc.split(/^## kagent /m).map((text) => [text.split('\n', 1).join(''), text]));

test('docs/commands.md says what the commands say; `kagent man --markdown >docs/commands.md` writes it anew', () => {
  expect(readFileSync(join(root, 'docs/commands.md'), 'utf8')).toBe(doc);
});

test('each command has an example, and each example its command', () => {
  const commands = [...sections.keys()].slice(1);
  expect(commands.length).toBeGreaterThan(40);
  expect(Object.keys(examples).toSorted()).toEqual(commands.toSorted());
});

test('an example has the words of its command, and flags that it knows', () => {
  const wrong = Object.entries(examples).flatMap(([path, lines]) =>
    lines.flatMap(([line]) => {
      const own = line.replace(/ (?:-- |\| ).*$/, '');
      const flags = [...own.matchAll(/(?<= )--?[a-z][a-z-]*/g)].map(([flag]) => flag);
      const others = path === 'node drain' ? ['--timeout'] : []; // kubectl's
      const unknown = flags.filter((flag) => !sections.get(path)?.match(new RegExp(`^- \`.*${flag}\\b`, 'm')));
      const isOther = !line.includes(`kagent ${path}`);
      return [...(isOther ? [line] : []), ...unknown.filter((flag) => !others.includes(flag))];
    }),
  );
  expect(wrong).toEqual([]);
});

test('help ends with the examples', { timeout: 30_000 }, () => {
  expect(kagent('token', 'create', '--help')).toContain('\nExamples:\n  kagent token create --ttl 1h');
});
