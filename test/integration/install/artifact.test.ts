/** A folder of a release, carried to a box that has no network. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { boxWith, compressors, filesIn, loneScript, noStart, sumOf, writeExecutable } from './box.ts';
import type { Form } from './box.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

describe('a folder of artifacts', () => {
  interface Folder {
    readonly sum?: (content: Buffer) => string;
    /** How the executable is there. */
    readonly forms?: readonly ('' | `.${Form}`)[];
    readonly without?: readonly string[];
    /** A line of the executable. */
    readonly line?: string;
  }

  function boxWithArtifacts({ sum = sumOf, forms = [''], without = [], line = 'carried here' }: Folder = {}) {
    const { box, env } = boxWith('curl', without);
    writeExecutable(box.path('carried'), line);
    const executable = readFileSync(box.path('carried'));
    const lines = (['', '.gz', '.zst'] as const).map((form) => {
      const content =
        form === '' ? executable : form === '.gz' ? compressors.gz(executable) : compressors.zst(executable);
      mkdirSync(box.path('artifacts'), { recursive: true });
      const path = box.path('artifacts', `kagent-${arch}${form}`);
      if (forms.some((one) => one === form)) writeFileSync(path, content, { mode: 0o755 });
      return `${sum(content)}  kagent-${arch}${form}\n`;
    });
    writeFileSync(box.path('artifacts', `sha256sum-${arch}.txt`), lines.join(''));
    return { box, env: { ...noStart, ...env, INSTALL_KAGENT_ARTIFACT_PATH: box.path('artifacts') }, executable };
  }

  test.each([
    { forms: [''] as const, without: ['zstd', 'gzip'] },
    { forms: ['.gz'] as const, without: ['zstd'] },
    { forms: ['.zst'] as const, without: ['gzip'] },
    { forms: ['.gz', '.zst'] as const, without: ['zstd'] },
  ])('with the executable as $forms is installed from, on a box without $without', async ({ forms, without }) => {
    const { box, env, executable } = boxWithArtifacts({ forms, without });
    expect(await box.install(loneScript(box), [], env)).toMatchObject({ code: 0 });
    expect(readFileSync(box.path('usr/local/bin/kagent'))).toEqual(executable);
    expect(filesIn(box.path('usr/local/bin')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test.each(['', '.gz'] as const)('with a wrong sum of kagent-ARCH%s installs nothing', async (form) => {
    const { box, env } = boxWithArtifacts({ sum: () => sumOf('other'), forms: [form] });
    expect((await box.install(loneScript(box), [], env)).output).toContain('Nothing was installed');
    expect(existsSync(box.path('usr/local/bin/kagent'))).toBe(false);
  });

  test('that lacks a file, or has none that this box can unpack, says which', async () => {
    const { box, env } = boxWithArtifacts({ forms: ['.zst'], without: ['zstd'] });
    expect((await box.install(loneScript(box), [], env)).output).toMatch(
      /there is no \S+kagent-\w+ that can be read, and no \S+\.gz or \S+\.zst that this box can unpack/,
    );
    writeFileSync(box.path('artifacts', `kagent-${arch}`), '');
    rmSync(box.path('artifacts', `sha256sum-${arch}.txt`));
    expect((await box.install(loneScript(box), [], env)).output).toContain(
      `there is no ${box.path('artifacts')}/sha256sum`,
    );
    expect(existsSync(box.path('usr/local/bin/kagent'))).toBe(false);
  });

  test('leaves nothing of what it unpacked on a box where the executable does not run', async () => {
    const { box, env } = boxWithArtifacts({ forms: ['.gz'], line: '\nexit 1' });
    const ran = await box.install(loneScript(box), [], env);
    expect(ran.output).toContain('does not run on this box');
    expect(filesIn(box.path('usr/local/bin'))).toEqual([]);
  });
});
