import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { boxWith, compressors, filesIn, loneScript, makeBox, noStart, sumOf, writeExecutable } from './box.ts';
import type { Box, Form } from './box.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

interface ReleaseFaults {
  /** Of the executable, compressed or not. */
  readonly wrongSum?: boolean;
  /** Cuts the first answer with the executable. */
  readonly breakAfter?: number;
  /** How it is there besides; none by default. */
  readonly forms?: readonly Form[];
  /** Of what is downloaded, after its sum was made. */
  readonly tampered?: boolean;
  /** What is in the compressed forms, in place of the executable. */
  readonly packed?: Buffer;
}

/** A web server with one release. */
async function serveRelease(box: Box, faults: ReleaseFaults = {}) {
  writeExecutable(box.path('release/kagent'), 'released');
  const noise = Array.from({ length: 2000 }, (_, index) => `# ${sumOf(`${index}`)}\n`).join(''); // does not compress away
  const executable = Buffer.concat([readFileSync(box.path('release/kagent')), Buffer.from(noise)]);
  const forms = (faults.forms ?? []).map((form) => {
    const content: Buffer = compressors[form](faults.packed ?? executable);
    return { name: `kagent-${arch}.${form}`, content };
  });
  const whole = [{ name: `kagent-${arch}`, content: executable }, ...forms];
  const sums = whole.map(
    ({ name, content }) => `${sumOf(faults.wrongSum === true ? `other ${name}` : content)}  ${name}\n`,
  );
  if (faults.tampered === true) for (const { content } of forms) content[50] = (content[50] ?? 0) ^ 1;
  const files: Readonly<Record<string, Buffer>> = {
    '/channels/stable': Buffer.from('v1.2.3\n'),
    [`/v1.2.3/sha256sum-${arch}.txt`]: Buffer.from(`${'0'.repeat(64)}  kagent-other\n${sums.join('')}`),
    ...Object.fromEntries(whole.map(({ name, content }) => [`/v1.2.3/${name}`, content])),
  };
  return { ...(await serveFiles(files, faults.breakAfter)), executable, forms };
}

/** @param breakAfter cuts the first answer with an executable */
async function serveFiles(files: Readonly<Record<string, Buffer>>, breakAfter: number | undefined) {
  const asked: string[] = [];
  let toBreak = breakAfter;
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
  return { asked, mirror: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

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

describe('compressed', () => {
  const installed = (box: Box) => box.path('usr/local/bin/kagent');
  const left = (box: Box) => filesIn(box.path('usr/local/bin'));

  test.each([
    { lacks: [], form: '.zst' },
    { lacks: ['zstd'], form: '.gz' },
    { lacks: ['zstd', 'gzip'], form: '' },
  ])('on a box without $lacks it is downloaded as kagent-ARCH$form', async ({ lacks, form }) => {
    const { box, env } = boxWith('curl', lacks);
    const { mirror, asked, executable } = await serveRelease(box, { forms: ['gz', 'zst'] });
    const ran = await box.install(loneScript(box), [], { ...noStart, ...env, INSTALL_KAGENT_MIRROR: mirror });
    expect(ran).toMatchObject({ code: 0 });
    expect(asked.filter((path) => path.includes('/kagent-'))).toEqual([`/v1.2.3/kagent-${arch}${form}`]);
    expect(readFileSync(installed(box))).toEqual(executable);
    expect(statSync(installed(box)).mode & 0o777).toBe(0o755);
    expect(left(box).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a download that broke off continues where it was, and what is installed is not fetched twice', async () => {
    const box = makeBox();
    const { mirror, asked, executable } = await serveRelease(box, { forms: ['gz'], breakAfter: 40_000 });
    const env = { ...noStart, INSTALL_KAGENT_MIRROR: mirror };
    const broken = await box.install(loneScript(box), [], env);
    expect(broken.output).toContain('run this again and it continues from there');
    expect(existsSync(installed(box))).toBe(false);
    expect(await box.install(loneScript(box), [], env)).toMatchObject({ code: 0 });
    expect(readFileSync(installed(box))).toEqual(executable);
    expect((await box.install(loneScript(box), [], env)).output).toContain('version v1.2.3 is here already');
    expect(asked.filter((path) => path.includes('/kagent-'))).toEqual([
      `/v1.2.3/kagent-${arch}.gz`,
      `/v1.2.3/kagent-${arch}.gz bytes=40000-`,
    ]);
  });

  test('what was changed on its way is not unpacked', async () => {
    const box = makeBox();
    const { mirror } = await serveRelease(box, { forms: ['gz'], tampered: true });
    box.command('gzip', 'echo gzip was called >&2; exit 1');
    const ran = await box.install(loneScript(box), [], { ...noStart, INSTALL_KAGENT_MIRROR: mirror });
    expect(ran.output).toMatch(
      /wrong checksum of \S+kagent-\w+\.gz: it is [0-9a-f]{64}, and should be [0-9a-f]{64}. Noth/,
    );
    expect(ran.output).not.toContain('gzip was called');
    expect(left(box)).toEqual([]);
  });

  test('what unpacks to something else than the release’s executable is not installed', async () => {
    const box = makeBox();
    const { mirror } = await serveRelease(box, { forms: ['gz'], packed: Buffer.from('another program') });
    const ran = await box.install(loneScript(box), [], { ...noStart, INSTALL_KAGENT_MIRROR: mirror });
    expect(ran.output).toMatch(/wrong checksum of what is in \S+kagent-\w+\.gz: it is .* Nothing was installed/);
    expect(left(box)).toEqual([]);
  });

  test('where it cannot be written as a whole nothing stays, neither of it nor of the download', async () => {
    const box = makeBox();
    const { mirror } = await serveRelease(box, { forms: ['gz'], packed: Buffer.alloc(3_000_000) });
    const script = `ulimit -f 1000; exec /bin/sh ${loneScript(box)}`; // blocks of 512 bytes or 1 KiB, as on a disk that fills up
    const ran = await box.runWith({ ...noStart, INSTALL_KAGENT_MIRROR: mirror }, '/bin/sh', '-c', script);
    expect(ran.output).toMatch(/kagent-\w+\.gz could not be unpacked to .*: see above. Nothing was installed/);
    expect(ran.code).toBe(1);
    expect(left(box)).toEqual([]);
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
