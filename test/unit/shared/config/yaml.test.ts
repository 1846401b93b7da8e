import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRegistries } from '../../../../src/agent/registries/file.ts';
import { AgentConfig } from '../../../../src/agent/config.ts';
import { objectsOf } from '../../../../src/server/manifests/parse.ts';
import { fileSource } from '../../../../src/shared/config/config.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const levels = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...levels.map(
    (name, index) =>
      `${name}: &${name} [${Array(9)
        .fill(`*${index === 0 ? 'a' : levels[index - 1]}`)
        .join(', ')}]`,
  ),
].join('\n');

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  'config.yaml': (text) => fileSource({ schema: AgentConfig, known: [AgentConfig], path: file(text), required: true }),
  'registries.yaml': (text) => readRegistries(file(text), { required: true }),
  'a manifest': (text) => objectsOf(text),
};

function file(text: string): string {
  const path = join(temporaryDir(), 'file.yaml');
  writeFileSync(path, text);
  return path;
}

const bombs: readonly (readonly [string, string, RegExp])[] = [
  ['aliases of aliases', bomb, /Excessive alias count|too many aliases/],
  ['an alias that nothing has', 'a: *b', /[Uu]nresolved alias|there is no anchor/],
  ['brackets in brackets', '['.repeat(100_000), /nested too deeply|Maximum call stack/],
  ['a list in itself', 'a: &a [*a]', /[Uu]nresolved alias|there is no|contains itself|no Kubernetes object/],
];

test.each(Object.entries(readers).flatMap(([what, read]) => bombs.map((one) => [what, ...one, read] as const)))(
  '%s with %s is refused with a reason, and no stack',
  async (_, __, text, reason, read) => {
    const refused = await Promise.resolve()
      .then(() => read(text))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: expect.stringMatching(/^(CONFIG|MANIFEST)/),
      message: expect.stringMatching(reason),
    });
  },
);
