import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { checksumOfChart, findChart } from '../../../../src/server/charts/charts.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function folder(): string {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'charts', 'folder.tgz'), { recursive: true });
  return dir;
}

test('an archive is read with its checksum, and so are its signature and the index', async () => {
  const dir = folder();
  for (const name of ['toy-1.0.0+a.tgz', 'toy-1.0.0.tgz.prov', 'index.yaml']) {
    writeFileSync(join(dir, 'charts', name), 'abc');
    const found = await findChart(dir, name);
    expect(found?.sizeBytes).toBe(3);
    expect(found && (await text(found.read(0, 2)))).toBe('abc');
    expect(await checksumOfChart(dir, name)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  }
});

test.each([
  '../manifests/a.tgz',
  'a/../b.tgz',
  '.tgz',
  '.hidden.tgz',
  'a.tgz/',
  'a.sh',
  'index.yml',
  '',
  'missing.tgz',
  'folder.tgz',
])('nothing is read as %j', async (name) => {
  expect(await findChart(folder(), name)).toBeUndefined();
});

test('a link, a pipe and what is larger than a chart are not read', async () => {
  const dir = folder();
  symlinkSync('/etc/passwd', join(dir, 'charts', 'link.tgz'));
  execFileSync('mkfifo', [join(dir, 'charts', 'pipe.tgz')]);
  writeFileSync(join(dir, 'charts', 'large.tgz'), '');
  truncateSync(join(dir, 'charts', 'large.tgz'), 20 * 1024 * 1024 + 1);
  for (const name of ['link.tgz', 'pipe.tgz', 'large.tgz']) expect(await findChart(dir, name)).toBeUndefined();
});
