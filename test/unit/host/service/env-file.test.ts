import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mergeEnvironment } from '../../../../src/host/service/env-file.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test("kagent's, containerd's and the proxies' variables are kept, others are not", () => {
  const env = {
    KAGENT_TOKEN: 'abc',
    CONTAINERD_X: '1',
    HTTPS_PROXY: 'http://p:1',
    no_proxy: 'a,b',
    HOME: '/root',
    AKAGENT_X: '1',
  };
  expect(mergeEnvironment('', env)).toBe('KAGENT_TOKEN=abc\nCONTAINERD_X=1\nHTTPS_PROXY=http://p:1\nno_proxy=a,b\n');
});

test('what was there stays unless it is said anew, and an empty variable takes it away', () => {
  const before = "KAGENT_TOKEN='a b'\nKAGENT_URL=https://a:9345\n";
  expect(mergeEnvironment(before, {})).toBe(before);
  expect(mergeEnvironment(before, { KAGENT_URL: 'https://b:9345', KAGENT_TOKEN: '' })).toBe(
    'KAGENT_URL=https://b:9345\n',
  );
});

test('a shell that reads the file gets each value as it was', () => {
  const value = `it's "$HOME" \`id\` \\ *`;
  const path = join(temporaryDir(), 'env');
  writeFileSync(path, mergeEnvironment('', { KAGENT_TOKEN: value }));
  expect(execFileSync('sh', ['-c', `. ${path}; printf %s "$KAGENT_TOKEN"`], { encoding: 'utf8' })).toBe(value);
});

test("a line of an earlier kagent's that systemd and a shell read differently is written anew, as the shell had it", () => {
  const before = "# mine\nKAGENT_A='it'\\''s'\nKAGENT_B='a b'\nOTHER=it\\'s\n";
  expect(mergeEnvironment(before, {})).toBe("# mine\nKAGENT_A=\"it's\"\nKAGENT_B='a b'\nOTHER=it\\'s\n");
});

test('a value with a line break is refused by name', () => {
  expect(() => mergeEnvironment('', { KAGENT_TOKEN: 'a\rb' })).toThrow(/KAGENT_TOKEN has a line break/);
  expect(() => mergeEnvironment('', { KAGENT_TOKEN: 'a\nb' })).toThrow(/KAGENT_TOKEN has a line break/);
});
