import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { copyBuildScripts, installNode, makeBox } from './box.ts';
import type { Box, Ran } from './box.ts';

const project = join(import.meta.dirname, '../../..');
const standIn = join(project, 'test/fixtures/stand-in/kagent.ts');
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Writes what a build would, small, and says how it was called; `source.txt` is what it is built from. */
const fakeBuild = `
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
const value = (name) => args[args.indexOf(name) + 1];
const out = value('--out');
mkdirSync(out, { recursive: true });
appendFileSync('builds', args.join(' ').replace(out, 'OUT') + '\\n');
const text = readFileSync('source.txt', 'utf8') + value('--version') + value('--arch');
const program = '#!/bin/sh\\n# ' + text + '\\nexec ${process.execPath} ${standIn} "$@"\\n';
for (const name of ['kagent', 'kagent-slim']) writeFileSync(out + '/' + name, program, { mode: 0o755 });
for (const name of ['bundle', 'sbom.spdx.json', 'NOTICES.txt', 'libatomic.so.1']) writeFileSync(out + '/' + name, name + text);
`;

/** As scripts/build/compress.ts does with what has a bundle in it. */
const fakeCompress = `
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
const path = process.argv[2];
writeFileSync(path + '.gz', gzipSync(readFileSync(path)));
writeFileSync(path + '.zst', zstdCompressSync(readFileSync(path)));
`;

function makeProject(box: Box) {
  const dir = box.path('project');
  mkdirSync(join(dir, 'scripts/build'), { recursive: true });
  copyBuildScripts(dir);
  installNode(dir);
  for (const script of ['release.sh', 'install.sh']) {
    cpSync(join(project, 'scripts', script), join(dir, 'scripts', script));
  }
  writeFileSync(join(dir, 'package.json'), '{\n  "name": "kagent",\n  "version": "1.2.3",\n  "type": "module"\n}\n');
  writeFileSync(join(dir, 'scripts/build/build.ts'), fakeBuild);
  writeFileSync(join(dir, 'scripts/build/compress.ts'), fakeCompress);
  writeFileSync(join(dir, 'source.txt'), 'one');
  return {
    dir,
    out: box.path('out'),
    release: (...args: readonly string[]): Promise<Ran> =>
      box.run('/bin/sh', join(dir, 'scripts/release.sh'), ...args, box.path('out')),
    change: (text: string) => writeFileSync(join(dir, 'source.txt'), text),
    builds: () => readFileSync(join(dir, 'builds'), 'utf8').trim().split('\n'),
  };
}

/** Any static web server. */
async function serve(dir: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = join(dir, request.url ?? '');
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return void response.writeHead(404).end();
    response.end(readFileSync(path));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function allFiles(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  const sum = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  return Object.fromEntries(paths.map((path) => [path.slice(dir.length + 1), sum(path)]));
}

test('a release has both architectures, slim too, with sums, notices, installer and channel', async () => {
  const { release, out, builds } = makeProject(makeBox());
  expect(await release('--address', 'https://releases.example/kagent/')).toMatchObject({ code: 0 });
  const files = allFiles(out);
  const ofArch = (name: string) =>
    [
      `NOTICES-${name}.txt`,
      `bundle-${name}`,
      `kagent-${name}`,
      `kagent-${name}.gz`,
      `kagent-${name}.zst`,
      `kagent-slim-${name}`,
      `libatomic.so.1-${name}`,
      `sbom-${name}.spdx.json`,
      `sha256sum-${name}.txt`,
    ].map((file) => `v1.2.3/${file}`);
  expect(Object.keys(files)).toEqual(
    ['channels/stable', 'install.sh', ...ofArch('amd64'), ...ofArch('arm64')].toSorted(),
  );
  expect(readFileSync(join(out, 'channels/stable'), 'utf8')).toBe('v1.2.3\n');
  expect(builds()).toEqual(
    ['amd64', 'arm64'].map(
      (name) => `--arch ${name} --version 1.2.3 --out OUT --address https://releases.example/kagent/v1.2.3`,
    ),
  );
  for (const line of readFileSync(join(out, 'v1.2.3/sha256sum-arm64.txt'), 'utf8').trim().split('\n')) {
    const [sum, name] = line.split('  ');
    expect(files[`v1.2.3/${name}`]).toBe(sum);
  }
  expect(readdirSync(out).toSorted()).toEqual(['channels', 'install.sh', 'v1.2.3']);
});

test('what install.sh of a release installs is the release, and nobody has to say where it is', async () => {
  const box = makeBox();
  const { release, out } = makeProject(box);
  mkdirSync(out);
  const address = await serve(out);
  await release('--address', address);
  const ran = await box.install(join(out, 'install.sh'), [], {
    INSTALL_KAGENT_SKIP_START: 'true',
    INSTALL_KAGENT_SYMLINK: 'skip',
  });
  expect(ran).toMatchObject({ code: 0 });
  expect(readFileSync(box.path('usr/local/bin/kagent'))).toEqual(readFileSync(join(out, `v1.2.3/kagent-${arch}`)));
});

test('without an address install.sh asks for one instead of guessing', async () => {
  const box = makeBox();
  const { release, out } = makeProject(box);
  expect((await release()).output).toContain('without --address: install.sh wants INSTALL_KAGENT_MIRROR');
  const ran = await box.install(join(out, 'install.sh'), [], { INSTALL_KAGENT_SKIP_START: 'true' });
  expect(ran).toMatchObject({ code: 1, output: expect.stringContaining('set INSTALL_KAGENT_MIRROR') });
});

test('the same release once more gives the same bytes; a second version leaves the first as it is', async () => {
  const { release, out, change } = makeProject(makeBox());
  await release();
  const first = allFiles(out);
  await release();
  expect(allFiles(out)).toEqual(first);
  change('two');
  expect(await release('--version', 'v1.3.0-rc.1', '--channel', 'testing')).toMatchObject({ code: 0 });
  expect(allFiles(out)).toMatchObject(first);
  expect(readFileSync(join(out, 'channels/testing'), 'utf8')).toBe('v1.3.0-rc.1\n');
});

test('a version that was released is never changed', async () => {
  const { release, out, change } = makeProject(makeBox());
  await release('--arch', 'amd64');
  const before = allFiles(out);
  change('two');
  const ran = await release('--arch', 'amd64');
  expect(ran.code).toBe(1);
  expect(ran.output).toMatch(/v1\.2\.3\/\S+ is there with other bytes.*choose another --version/);
  expect(allFiles(out)).toEqual(before);
  expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('a build that fails releases nothing', async () => {
  const { dir, release, out } = makeProject(makeBox());
  writeFileSync(join(dir, 'scripts/build/build.ts'), 'process.exitCode = 1;');
  expect(await release()).toMatchObject({ code: 1, output: expect.stringContaining('nothing was released') });
  expect(existsSync(join(out, 'install.sh'))).toBe(false);
  expect(readdirSync(join(out, 'channels'))).toEqual([]);
});

test.each([
  [['--address', "https://x/'; rm -rf /; '"], 'characters that an address does not need'],
  [['--address', 'ftp://x'], 'begins with neither https:// nor http://'],
  [['--version', '../1'], 'may only have letters'],
  [['--channel', 'a/b'], 'may only have letters'],
  [['--arch', 'riscv64'], 'there is no kagent for riscv64'],
  [['--adress', 'https://x'], 'there is no --adress'],
])('wrong usage is refused before anything is built: %j', async (args, message) => {
  const { release, out } = makeProject(makeBox());
  const ran = await release(...args);
  expect(ran).toMatchObject({ code: 2, output: expect.stringContaining(message) });
  expect(existsSync(out)).toBe(false);
});
