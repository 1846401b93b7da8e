import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { configCommand } from '../../../src/cli/cli.ts';
import { kinds } from '../../../src/shared/config/config.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const modes = [
  {
    name: 'server',
    schema: z.strictObject({
      token: kinds.secret.optional().describe('Secret'),
      port: z.int().min(1).default(6443).describe('Port'),
      tlsSan: z.array(z.string()).default([]).describe('Names'),
    }),
  },
  { name: 'agent', schema: z.strictObject({ url: z.string().optional().describe('Address of a server') }) },
];

let printed = '';
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

function file(text: string): string {
  const path = join(temporaryDir(), 'config.yaml');
  writeFileSync(path, text);
  return path;
}

const say = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
  configCommand(modes, env)
    .exitOverride()
    .parseAsync([...args], { from: 'user' });

test('show tells each value and where it was said, and no secret', async () => {
  const path = file('token: s3cret\ntls-san: [a, b]\n');
  await say({ KAGENT_PORT: '7443' }, 'show', 'server', '--config', path);
  const rows = printed
    .trim()
    .split('\n')
    .map((line) => line.split(/ {3,}/));
  expect(rows).toEqual([
    ['KEY', 'VALUE', 'FROM'],
    ['token', '[redacted]', `${path} line 1`],
    ['port', '7443', 'KAGENT_PORT'],
    ['tls-san', 'a, b', `${path} line 2`],
  ]);
  expect(printed).not.toContain('s3cret');
});

test('show has a form for programs', async () => {
  await say({}, 'show', 'server', '--config', file(''), '-o', 'json');
  expect(JSON.parse(printed)).toMatchObject({
    mode: 'server',
    settings: [{ key: 'token' }, { key: 'port', value: 6443, origin: 'default' }, { key: 'tls-san', value: [] }],
  });
});

test('validate takes a file that all modes share', async () => {
  const path = file('port: 1\nurl: https://a\n');
  await say({}, 'validate', path);
  expect(printed).toBe(`${path} is sound\n`);
});

test.each([
  ['prot: 1\n', /line 1: there is no setting 'prot'; did you mean 'port'\?/],
  ['port: 0\n', /port is "0" \(.*line 1\)/],
  ['port: [\n', /config\.yaml line/],
])('validate refuses %j with its line', async (text, said) => {
  await expect(say({}, 'validate', file(text))).rejects.toThrow(said);
});

test('default is a file that says nothing until its comments are taken away', async () => {
  await say({}, 'default', 'server');
  expect(parse(printed)).toBeNull();
  expect(parse(printed.replaceAll(/^#(?! )/gm, ''))).toEqual({ token: null, port: 6443, 'tls-san': [] });
});
