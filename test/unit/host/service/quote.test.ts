import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeEnvironment } from '../../../../src/host/service/env-file.ts';
import { rcScript } from '../../../../src/host/service/openrc.ts';
import { environmentQuote, shellQuote, shellWords, systemdQuote } from '../../../../src/host/service/quote.ts';
import { createServiceManager, hostAt } from '../../../../src/host/service/service.ts';
import { serviceWord } from '../../../helpers/service-words.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const words = fc.array(serviceWord, { minLength: 1, maxLength: 5 });
const fewRuns = { numRuns: 60 }; // each starts a shell

/** What a real shell makes of a script's text that prints words, each closed by a zero byte. */
function said(script: string): readonly string[] {
  const text = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8', env: { HOME: '/root' } });
  return text.split('\0').slice(0, -1);
}

test('words quoted for a shell are read back as they were', () => {
  fc.assert(
    fc.property(words, (given) => {
      expect(shellWords(given.map(shellQuote).join(' '))).toEqual(given);
      expect(shellWords(given.map(environmentQuote).join(' '))).toEqual(given);
    }),
  );
});

test('a real shell sees the words that were quoted, a line break among them', () => {
  fc.assert(
    fc.property(words, (given) => {
      const broken = [...given, 'a\nb'];
      expect(said(`printf '%s\\0' ${broken.map(shellQuote).join(' ')}`)).toEqual(broken);
    }),
    fewRuns,
  );
});

test('a shell that reads the environment file sees each value as it was', () => {
  const path = join(temporaryDir(), 'env');
  fc.assert(
    fc.property(serviceWord, (value) => {
      writeFileSync(path, mergeEnvironment('', { KAGENT_TOKEN: value }));
      expect(said(`. ${path}; printf '%s\\0' "$KAGENT_TOKEN"`)).toEqual([value]);
    }),
    fewRuns,
  );
});

test('the start script passes on exactly the words it was given', () => {
  const dir = temporaryDir();
  const readiness = async () => ({ ready: true, text: '', unknown: [] });
  const manager = createServiceManager('none', { host: hostAt('/'), readiness });
  const executable = join(dir, 'an executable, it has a $name');
  expect(() => manager.text({ name: 'kagent', executable: `${executable}'`, args: [] })).toThrow(/no absolute path/);
  writeFileSync(executable, '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 });
  fc.assert(
    fc.property(words, (args) => {
      expect(said(manager.text({ name: 'kagent', executable, args }))).toEqual([...args, '--daemonize']);
    }),
    fewRuns,
  );
});

test('what OpenRC puts together with eval is exactly the words it was given', () => {
  const executable = '/opt/two  blanks/*/kagent';
  fc.assert(
    fc.property(words, (args) => {
      const script = rcScript({ name: 'kagent', executable, args }, '/etc/kagent/kagent.env', '/var/log/kagent.log');
      expect(said(`${script}\neval "printf '%s\\0'" $command $command_args`)).toEqual([executable, ...args]);
    }),
    fewRuns,
  );
});

test("systemd's own characters are doubled, and a word with a space is in quotes", () => {
  expect(systemdQuote('--node-name=a')).toBe('--node-name=a');
  expect(systemdQuote('100%')).toBe('100%%');
  expect(systemdQuote('$HOME')).toBe('$$HOME');
  expect(systemdQuote('say "a b"\\')).toBe(String.raw`"say \"a b\"\\"`);
});
