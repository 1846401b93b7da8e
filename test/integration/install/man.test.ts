import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDir } from '../../helpers/temporary.ts';

const main = resolve(import.meta.dirname, '../../../src/main.ts');
const kagent = (...args: readonly string[]) => execFileSync(process.execPath, [main, ...args], { encoding: 'utf8' });

test('every man page is what mandoc finds nothing to say about', () => {
  const dir = join(temporaryDir(), 'man1');
  expect(kagent('man', '--install', dir)).toBe(`wrote ${readdirSync(dir).length} man pages into ${dir}\n`);
  expect(kagent('man', '--install', dir)).toBe(''); // they are as they should be
  const files = readdirSync(dir).map((name) => join(dir, name));
  expect(files.length).toBeGreaterThan(15);
  expect(execFileSync('mandoc', ['-T', 'lint', ...files], { encoding: 'utf8' })).toBe('');
});

test('the pages are listed, and one is printed, by the name of its command or its own', () => {
  const titles = kagent('man')
    .trim()
    .split('\n')
    .map((line) => line.split(' ', 1).join(''));
  expect(titles).toEqual(expect.arrayContaining(['kagent', 'kagent-server', 'kagent-token', 'kagent-man']));
  expect(kagent('man', 'token')).toBe(kagent('man', 'kagent-token'));
  const text = execFileSync('mandoc', ['-T', 'html'], { input: kagent('man', 'token'), encoding: 'utf8' });
  expect(text).toContain('<b>kagent token join-command</b> [options]');
});

test('a page that is not there is named, with what lists them', () => {
  const asked = () => execFileSync(process.execPath, [main, 'man', 'nothing'], { stdio: 'pipe' });
  expect(asked).toThrow("there is no page 'nothing'; 'kagent man' lists them");
});
