import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { boxWith, makeBox, writeExecutable } from './box.ts';
import type { Box } from './box.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** A web server with one release; `breakAfter` cuts the first answer with the executable. */
async function serveRelease(box: Box, options: { readonly wrongSum?: boolean; readonly breakAfter?: number } = {}) {
  writeExecutable(box.path('release/kagent'), 'released');
  const executable = Buffer.concat([readFileSync(box.path('release/kagent')), Buffer.alloc(100_000, '#\n')]);
  const sum = createHash('sha256')
    .update(options.wrongSum === true ? 'other' : executable)
    .digest('hex');
  const files: Readonly<Record<string, Buffer>> = {
    '/channels/stable': Buffer.from('v1.2.3\n'),
    [`/v1.2.3/sha256sum-${arch}.txt`]: Buffer.from(`${'0'.repeat(64)}  kagent-other\n${sum}  kagent-${arch}\n`),
    [`/v1.2.3/kagent-${arch}`]: executable,
  };
  const asked: string[] = [];
  let toBreak = options.breakAfter;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (request.method === 'GET') asked.push(`${path} ${request.headers.range ?? ''}`.trim());
    const body = files[path];
    if (body === undefined) return void response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = body.subarray(from);
    const headers = {
      'content-length': rest.length,
      'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
    };
    response.writeHead(from > 0 ? 206 : 200, headers);
    if (toBreak === undefined || request.method === 'HEAD' || !path.includes('/kagent-'))
      return void response.end(rest);
    response.write(rest.subarray(0, toBreak), () => response.destroy());
    toBreak = undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, executable, mirror: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The script alone, as a pipe or a download has it: no checkout around it. */
function loneScript(box: Box): string {
  cpSync(join(import.meta.dirname, '../../../scripts/install.sh'), box.path('get.sh'));
  return box.path('get.sh');
}

const noStart = { INSTALL_KAGENT_SKIP_START: 'true', INSTALL_KAGENT_SYMLINK: 'skip' };
const filesIn = (dir: string) => (existsSync(dir) ? readdirSync(dir) : []);

describe.each(['curl', 'wget'])('with %s', (downloader) => {
  const boxAlone = () => {
    const { box, env } = boxWith(downloader);
    return { box, env: { ...noStart, ...env } };
  };

  test('a release is found through its channel, verified, put in place, and not fetched twice', async () => {
    const { box, env } = boxAlone();
    const { mirror, asked, executable } = await serveRelease(box);
    const first = await box.install(loneScript(box), [], { ...env, INSTALL_KAGENT_MIRROR: mirror });
    expect(first).toMatchObject({ code: 0 });
    expect(readFileSync(box.path('usr/local/bin/kagent'))).toEqual(executable);
    expect(statSync(box.path('usr/local/bin/kagent')).mode & 0o777).toBe(0o755);
    expect(filesIn(box.path('usr/local/bin')).filter((name) => name.startsWith('.'))).toEqual([]);
    const again = await box.install(loneScript(box), [], { ...env, INSTALL_KAGENT_MIRROR: mirror });
    expect(again.output).toContain('version v1.2.3 is here already');
    expect(asked.filter((path) => path.startsWith(`/v1.2.3/kagent-${arch}`))).toHaveLength(1);
  });

  test('a wrong checksum installs nothing and leaves nothing', async () => {
    const { box, env } = boxAlone();
    const { mirror } = await serveRelease(box, { wrongSum: true });
    const ran = await box.install(loneScript(box), [], { ...env, INSTALL_KAGENT_MIRROR: mirror });
    expect(ran.code).toBe(1);
    expect(ran.output).toMatch(
      /wrong checksum of .*kagent-.*: it is [0-9a-f]{64}, and should be [0-9a-f]{64}. Nothing was installed/,
    );
    expect(filesIn(box.path('usr/local/bin'))).toEqual([]);
    expect(existsSync(box.path('etc'))).toBe(false);
  });
});

test('a download that broke off continues where it was', async () => {
  const box = makeBox();
  const { mirror, asked, executable } = await serveRelease(box, { breakAfter: 40_000 });
  const env = { ...noStart, INSTALL_KAGENT_MIRROR: mirror };
  const broken = await box.install(loneScript(box), [], env);
  expect(broken).toMatchObject({
    code: 1,
    output: expect.stringContaining('run this again and it continues from there'),
  });
  expect(existsSync(box.path('usr/local/bin/kagent'))).toBe(false);
  expect(await box.install(loneScript(box), [], env)).toMatchObject({ code: 0 });
  expect(readFileSync(box.path('usr/local/bin/kagent'))).toEqual(executable);
  expect(asked).toContain(`/v1.2.3/kagent-${arch} bytes=40000-`);
});

test('a running executable is replaced as a whole: the old file keeps its bytes', async () => {
  const box = makeBox();
  const { mirror } = await serveRelease(box);
  writeExecutable(box.path('usr/local/bin/kagent'), 'before');
  const inode = statSync(box.path('usr/local/bin/kagent')).ino;
  await box.install(loneScript(box), [], { ...noStart, INSTALL_KAGENT_MIRROR: mirror });
  expect(statSync(box.path('usr/local/bin/kagent')).ino).not.toBe(inode);
});

test('without an address it says so instead of guessing', async () => {
  const box = makeBox();
  const ran = await box.install(loneScript(box), [], noStart);
  expect(ran).toMatchObject({ code: 1, output: expect.stringContaining('set INSTALL_KAGENT_MIRROR') });
});

test('a version that is not there is named with the address that was asked', async () => {
  const box = makeBox();
  const { mirror } = await serveRelease(box);
  const env = { ...noStart, INSTALL_KAGENT_MIRROR: mirror, INSTALL_KAGENT_VERSION: 'v9.9.9' };
  const ran = await box.install(loneScript(box), [], env);
  expect(ran.code).toBe(1);
  expect(ran.output).toContain(`${mirror}/v9.9.9/sha256sum-${arch}.txt cannot be read: is there a version v9.9.9?`);
});

test('a script that was cut short in transit does nothing', async () => {
  const box = makeBox();
  const { mirror } = await serveRelease(box);
  const script = readFileSync(loneScript(box), 'utf8');
  const cut = script.slice(0, script.lastIndexOf('main "$@"'));
  const ran = await box.run('/bin/sh', '-c', `INSTALL_KAGENT_MIRROR=${mirror}; ${cut}`);
  expect(ran).toEqual({ code: 0, output: '' });
});

describe('a folder of artifacts', () => {
  const sumOf = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

  function boxWithArtifacts(sum: (executable: Buffer) => string) {
    const box = makeBox();
    writeExecutable(box.path('artifacts', `kagent-${arch}`), 'carried here');
    const executable = readFileSync(box.path('artifacts', `kagent-${arch}`));
    writeFileSync(box.path('artifacts', `sha256sum-${arch}.txt`), `${sum(executable)}  kagent-${arch}\n`);
    return { box, env: { ...noStart, INSTALL_KAGENT_ARTIFACT_PATH: box.path('artifacts') }, executable };
  }

  test('is installed from without a download', async () => {
    const { box, env, executable } = boxWithArtifacts(sumOf);
    expect(await box.install(loneScript(box), [], env)).toMatchObject({ code: 0 });
    expect(readFileSync(box.path('usr/local/bin/kagent'))).toEqual(executable);
  });

  test('whose sum is wrong, or that lacks a file, installs nothing', async () => {
    const { box, env } = boxWithArtifacts(() => sumOf('other'));
    expect((await box.install(loneScript(box), [], env)).output).toContain('Nothing was installed');
    rmSync(box.path('artifacts', `sha256sum-${arch}.txt`));
    expect((await box.install(loneScript(box), [], env)).output).toContain(
      `there is no ${box.path('artifacts')}/sha256sum`,
    );
    expect(existsSync(box.path('usr/local/bin/kagent'))).toBe(false);
  });
});
