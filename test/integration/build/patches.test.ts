/** Go modules that are built with changes, by a Go whose module proxy and module cache are folders of the test. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { buildGo, goKey } from '../../../scripts/build/go.ts';
import type { Part } from '../../../scripts/build/modules.ts';
import { applyPatch, parsePatch } from '../../../scripts/build/patch.ts';
import { patchesOf } from '../../../scripts/build/patched.ts';
import type { Recipe } from '../../../scripts/build/recipes.ts';
import { notices, sbom } from '../../../scripts/build/sbom.ts';
import { targetOf } from '../../../scripts/build/target.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

afterEach(() => vi.unstubAllEnvs());

const upstream = 'example.com/greeting';
const greeting = (word: string) => ['package greeting', '', 'func Word() string {', `\treturn "${word}"`, '}', ''];
const welcome = `Subject: [PATCH] another word

--- a/greeting.go
+++ b/greeting.go
@@ -3,3 +3,3 @@ package greeting
 func Word() string {
-\treturn "hello"
+\treturn "welcome"
 }
`;

function write(path: string, content: string | readonly string[]): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : content.join('\n'));
}

/** A component that prints upstream's word, in a folder of its own; @returns its folder and the module cache */
function component(patch: string) {
  const home = temporaryDir();
  const module = join(home, 'zip', `${upstream}@v1.2.3`);
  const goMod = `module ${upstream}\n\ngo 1.26\n`;
  write(join(module, 'go.mod'), goMod);
  write(join(module, 'greeting.go'), greeting('hello'));
  write(join(module, 'LICENSE'), 'Permission is hereby granted, free of charge\n');
  const served = join(home, 'proxy', upstream, '@v/v1.2.3');
  write(`${served}.mod`, goMod);
  write(`${served}.info`, JSON.stringify({ Version: 'v1.2.3', Time: '2026-01-01T00:00:00Z' }));
  const zip = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], "w"); [z.write(file) for file in sys.argv[2:]]';
  const files = ['go.mod', 'greeting.go', 'LICENSE'].map((file) => `${upstream}@v1.2.3/${file}`);
  execFileSync('python3', ['-c', zip, `${served}.zip`, ...files], { cwd: join(home, 'zip') });

  const folder = join(home, 'components/hello');
  const main = ['package main', '', `import "${upstream}"`, '', 'func main() { print(greeting.Word()) }', ''];
  write(join(folder, 'main.go'), main);
  write(join(folder, 'go.mod'), `module example.com/hello\n\ngo 1.26\n\nrequire ${upstream} v1.2.3\n`);
  write(join(folder, 'patches', upstream, '0001-word.patch'), patch);
  const cache = join(home, 'mod');
  const settings = { GOPROXY: `file://${home}/proxy`, GOMODCACHE: cache, GONOSUMDB: '*', GOWORK: 'off' };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  vi.stubEnv('GOFLAGS', '-mod=mod');
  execFileSync('go', ['mod', 'download', 'all'], { cwd: folder });
  vi.stubEnv('GOFLAGS', '-mod=readonly'); // as pinned-go.ts has it
  return { folder, cache, home };
}

const recipe: Recipe = {
  name: 'hello',
  upstream,
  licence: 'MIT',
  cgo: false,
  place: 'bin',
  estimateMs: 1000,
  programs: [{ name: 'hello', package: '.', tags: [], stamps: () => ({}), links: [] }],
};

async function build(folder: string) {
  const dir = temporaryDir();
  await buildGo({ recipe, folder, target: targetOf(process.arch) }, {}, dir);
  const parts = JSON.parse(readFileSync(join(dir, 'modules.json'), 'utf8')) as Part[];
  return { dir, program: readFileSync(join(dir, 'hello')), parts };
}

const listed = (dir: string) => (readdirSync(dir, { recursive: true }) as string[]).toSorted();

test('a module is built with its patches, though nobody may write to the module cache', async () => {
  const { folder, cache } = component(welcome);
  const modes = statSync(join(cache, `${upstream}@v1.2.3`)).mode & 0o222;
  chmodSync(cache, 0o555);
  const before = listed(cache);
  const { dir } = await build(folder);
  expect(execFileSync('sh', ['-c', `${join(dir, 'hello')} 2>&1`], { encoding: 'utf8' })).toBe('welcome');
  expect(readdirSync(dir).toSorted()).toEqual(['hello', 'modules.json']);
  expect([modes, listed(cache)]).toEqual([0, before]);
});

test('the same sources in another folder give the same bytes, with no path of the machine in them', async () => {
  const [one, other] = [component(welcome), component(welcome)];
  const programs = [(await build(one.folder)).program, (await build(other.folder)).program];
  expect(programs[0]?.equals(programs[1] ?? Buffer.of())).toBe(true);
  for (const path of [one.home, other.home]) expect(programs[0]?.includes(path)).toBe(false);
});

test('the list of parts and the notices name the module by its version, with what has changed it', async () => {
  const { parts } = await build(component(welcome).folder);
  const patches = ['components/hello/patches/example.com/greeting/0001-word.patch'];
  const licence = { licence: 'MIT', texts: ['Permission is hereby granted, free of charge'] };
  const purl = `pkg:golang/${upstream}@v1.2.3`;
  expect(parts).toEqual([{ name: upstream, version: 'v1.2.3', purl, ...licence, patches }]);
  const components = [{ name: 'hello', version: 'v1.2.3', licence: 'MIT', parts }];
  const document = { kagent: '1.0.0', arch: 'x64', created: '2026-01-01T00:00:00Z', components };
  expect(sbom(document)).toContain(`"sourceInfo": "changed by ${patches.join()}"`);
  expect(notices(document)).toContain(`${upstream} v1.2.3 (changed by ${patches.join()})`);
});

test('a patch whose lines upstream has changed ends the build with a sentence, and is part of the key', async () => {
  const { folder } = component(welcome.replace('hello', 'good morning'));
  await expect(build(folder)).rejects.toThrow(
    /^components\/hello\/patches\/example\.com\/greeting\/0001-word\.patch does not fit greeting\.go any more: these lines are not there\./,
  );
  const key = () => goKey({ recipe, folder, target: targetOf(process.arch) }, { go: 'go1.26.8', cc: '' });
  const before = await key();
  write(join(folder, 'patches', upstream, '0001-word.patch'), welcome);
  expect(await key()).not.toBe(before);
});

test('lines that are there twice are no place for a patch', () => {
  const [file] = parsePatch('0001.patch', welcome).files;
  const twice = [...greeting('hello'), ...greeting('hello')].join('\n');
  expect(() => file && applyPatch(twice, file, '0001.patch')).toThrow('these lines are there 2 times');
  expect(file && applyPatch(`// new\n${greeting('hello').join('\n')}`, file, '0001.patch')).toBe(
    `// new\n${greeting('welcome').join('\n')}`,
  );
});

test('what is no change of a file is not understood', () => {
  const added = welcome.replace('--- a/greeting.go', '--- /dev/null');
  expect(() => parsePatch('0001.patch', added)).toThrow('0001.patch changes no file');
  expect(() => parsePatch('0001.patch', `${welcome}+\n`)).toThrow('line 10 of 0001.patch is not understood: +');
  expect(() => parsePatch('0001.patch', welcome.replace('-3,3 +3,3', '-3,4 +3,4'))).toThrow('is not understood');
});

test('each patch of the components says why it is there', async () => {
  const components = join(import.meta.dirname, '../../../components');
  const folders = readdirSync(components).map((name) => join(components, name));
  const patches = (await Promise.all(folders.map(patchesOf))).flatMap((modules) => [...modules.values()].flat());
  expect(patches.length).toBeGreaterThan(0);
  const silent = patches.filter(({ reason }) => !/^Subject: \[PATCH\] \S[^]*\n[^]{100}/.test(reason));
  expect(silent.map(({ name }) => name)).toEqual([]);
});
