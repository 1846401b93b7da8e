/** A box that has a shell and curl or wget joins by the one line that a server prints. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinLine } from '../../../src/server/release/release.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import { joinServer } from '../../helpers/join-server.ts';
import type { JoinServer } from '../../helpers/join-server.ts';
import { boxWith, makeBox, writeExecutable } from './box.ts';
import type { Box } from './box.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
const sumOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const noStart = { INSTALL_KAGENT_SKIP_START: 'true', INSTALL_KAGENT_SYMLINK: 'skip' };

/** Text of which little can be left out, in lines that a shell skips. */
const noise = (lines: number) =>
  Array.from({ length: lines }, (_, index) => `# ${sumOf(Buffer.from(`${index}`))}\n`).join('');

/** A server whose executable is the stand-in with a bundle, made so large that each of the two takes several packets. */
async function serverOf(box: Box) {
  const path = box.path('server/kagent');
  writeExecutable(path, 'of the server');
  const bundle = await fakeBundle(box.path('server'), [{ path: 'bin/a', content: noise(50_000) }]);
  const program = Buffer.concat([readFileSync(path), Buffer.from(noise(20_000))]);
  const executable = Buffer.concat([program, readFileSync(bundle)]);
  writeFileSync(path, executable);
  const server = await joinServer({ executable: path });
  /** What it sends, as it announces it. */
  const compressed = async () => {
    const sums = await box.run('curl', '-sk', `${server.url}/release/v1.2.3/sha256sum-${arch}.txt`);
    const sum = new RegExp(`^([0-9a-f]{64})  kagent-${arch}\\.gz$`, 'm').exec(sums.output)?.[1] ?? '';
    await box.run('curl', '-sk', '-o', box.path('gz'), `${server.url}/release/v1.2.3/kagent-${arch}.gz`);
    return { sum, content: readFileSync(box.path('gz')) };
  };
  return { executable, program, server, compressed };
}

async function lineOf(server: JoinServer, url = server.url): Promise<string> {
  const { text } = await server.tokens.create({ role: 'agent', description: '', ttlMs: 60_000, secret: undefined });
  return joinLine({ url, token: text.reveal() });
}

const type = (box: Box, line: string, more: Readonly<Record<string, string>> = {}) =>
  box.runWith({ ...noStart, ...more }, '/bin/sh', '-c', line);
const installed = (box: Box) => box.path('usr/local/bin/kagent');

describe.each(['curl', 'wget'])('with %s alone', (downloader) => {
  test('the line installs the server’s own executable and an agent that knows where to join', async () => {
    const { box, env } = boxWith(downloader);
    const { server, executable } = await serverOf(box);
    const ran = await type(box, await lineOf(server), env);
    expect(ran.output).toContain('kagent is installed');
    expect(ran.code).toBe(0);
    expect(readFileSync(installed(box))).toEqual(executable);
    const kept = readFileSync(box.path('etc/kagent/kagent-agent.env'), 'utf8');
    expect(kept).toContain(`KAGENT_URL=${server.url}\n`);
    expect(kept).toMatch(/KAGENT_TOKEN=K10[0-9a-f]{64}::\w{6}\.\w{16}\n/);
  });

  test('a proxy of the shell’s is not asked for the server, and is the agent’s all the same', async () => {
    const { box, env } = boxWith(downloader);
    const { server } = await serverOf(box);
    const proxy = { https_proxy: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' };
    const ran = await type(box, await lineOf(server), { ...env, ...proxy });
    expect(ran).toMatchObject({ code: 0 });
    expect(readFileSync(box.path('etc/kagent/kagent-agent.env'), 'utf8')).toContain('HTTPS_PROXY=http://127.0.0.1:9\n');
  });

  test('a server with another CA than the token’s is asked for nothing but its CA, and nothing is run', async () => {
    const { box, env } = boxWith(downloader);
    const { server } = await serverOf(box);
    const impostor = await serverOf(makeBox());
    const ran = await type(box, await lineOf(server, impostor.server.url), env);
    expect(ran.output).toContain(`${impostor.server.url} is not reached, or is not the server this line is from`);
    expect(ran.code).toBe(1);
    expect(existsSync(box.path('usr'))).toBe(false);
  });

  test('a server that is reached by an address its certificate does not have: one sentence, and what to type', async () => {
    const { box, env } = boxWith(downloader);
    const path = box.path('server/kagent');
    writeExecutable(path, 'of the server');
    const server = await joinServer({ executable: path, sans: ['192.0.2.1'] });
    const ran = await type(box, await lineOf(server), env);
    expect(ran.output).toContain('certificate is not for 127.0.0.1: start the server with --tls-san 127.0.0.1');
    expect(ran.output).not.toMatch(/SSL|altern/);
    expect(ran.code).toBe(1);
    expect(existsSync(box.path('usr'))).toBe(false);
  });

  test('one that shows the true CA’s text but cannot speak for it is refused by TLS', async () => {
    const { box, env } = boxWith(downloader);
    const { server } = await serverOf(box);
    const impostor = await joinServer({
      executable: box.path('server/kagent'),
      api: { serverTrust: server.pki.serverCa.trust },
    });
    const ran = await type(box, await lineOf(server, impostor.url), env);
    expect(ran.output).toMatch(/certificate/i);
    expect(ran.code).not.toBe(0);
    expect(existsSync(box.path('usr'))).toBe(false);
  });
});

test('a download that broke off continues where it was, and five boxes at once all get the same bytes', async () => {
  const boxes = Array.from({ length: 5 }, () => makeBox());
  const { server, executable, compressed } = await serverOf(makeBox());
  const { sum, content } = await compressed();
  for (const [index, box] of boxes.entries()) {
    mkdirSync(box.path('usr/local/bin'), { recursive: true });
    // What an earlier attempt got: each box another part, of the program and of the bundle.
    writeFileSync(
      box.path('usr/local/bin', `.kagent-${sum}`),
      content.subarray(0, Math.floor((index * content.length) / 5)),
    );
  }
  const line = await lineOf(server);
  const ran = await Promise.all(boxes.map((box) => type(box, line)));
  expect(ran.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  for (const box of boxes) {
    expect(readFileSync(installed(box)).equals(executable)).toBe(true);
    expect(readdirSync(box.path('usr/local/bin')).filter((name) => name.startsWith('.'))).toEqual([]);
  }
});

test('bytes that are not the announced ones install nothing', async () => {
  const box = makeBox();
  const { server, compressed } = await serverOf(makeBox());
  const { sum } = await compressed();
  mkdirSync(box.path('usr/local/bin'), { recursive: true });
  writeFileSync(box.path('usr/local/bin', `.kagent-${sum}`), Buffer.alloc(1000, 'x')); // the rest is fetched behind it
  const ran = await type(box, await lineOf(server));
  expect(ran.code).toBe(1);
  expect(ran.output).toContain(`and should be ${sum}. Nothing was installed.`);
  expect(readdirSync(box.path('usr/local/bin'))).toEqual([]);
});

test('a server hands out parts by content hash: whole, in ranges, and only what there is', async () => {
  const box = makeBox();
  const { server, executable } = await serverOf(box);
  const ca = box.path('ca.pem');
  writeFileSync(ca, server.pki.serverCa.caPem);
  const curl = async (...args: readonly string[]) => (await box.run('curl', '-s', '--cacert', ca, ...args)).output;
  const { files } = JSON.parse(await curl(`${server.url}/v1/files`)) as { files: { name: string; sha256: string }[] };
  expect(files.map(({ name }) => name)).toEqual([`kagent-${arch}`, `bundle-${arch}`]);
  const address = `${server.url}/v1/files/${files[0]?.sha256}`;
  const status = ['-o', '/dev/null', '-w', '%{http_code} %{size_download}'];
  expect(await curl(...status, address)).toBe(`200 ${executable.length}`);
  expect(await curl(...status, '-r', '100-199', address)).toBe('206 100');
  expect(await curl(...status, '-r', '-7', address)).toBe('206 7');
  expect(await curl(...status, '-r', `${executable.length}-`, address)).toMatch(/^416 /);
  expect(await curl('-I', address)).toContain(`content-length: ${executable.length}`);
  expect(await curl(...status, `${server.url}/v1/files/${'0'.repeat(64)}`)).toMatch(/^404 /);
  expect(await curl(...status, `${server.url}/release/v9.9.9/kagent-${arch}`)).toMatch(/^404 /);
});

test('what travels is smaller by what can be left out of the program, in any parts that are asked for', async () => {
  const box = makeBox();
  const { server, executable, program, compressed } = await serverOf(box);
  const { sum, content } = await compressed();
  expect(sumOf(content)).toBe(sum);
  expect(gunzipSync(content).equals(executable)).toBe(true);
  expect(content.length).toBeLessThan(executable.length - program.length / 3);
  const address = `${server.url}/release/v1.2.3/kagent-${arch}.gz`;
  const part = async (range: string) => {
    await box.run('curl', '-sk', '-r', range, '-o', box.path('part'), address);
    return readFileSync(box.path('part'));
  };
  for (const [start, end] of randomParts(content.length)) {
    expect((await part(`${start}-${end}`)).equals(content.subarray(start, end + 1))).toBe(true);
  }
  expect((await part('-9')).equals(content.subarray(-9))).toBe(true);
  expect((await box.run('curl', '-skI', address)).output).toContain(`content-length: ${content.length}`);
  const unknown = (await box.run('curl', '-sk', `${server.url}/release/v1.2.3/kagent-riscv64.gz`)).output;
  expect(unknown).toBe('not found');
});

test('a box without gzip gets the executable as it is', async () => {
  const { box, env } = boxWith('curl', ['gzip']);
  const { server, executable } = await serverOf(makeBox());
  const ran = await type(box, await lineOf(server), env);
  expect(ran.output).toMatch(/kagent-\w+\n/);
  expect(readFileSync(installed(box)).equals(executable)).toBe(true);
});

function randomParts(length: number): readonly (readonly [number, number])[] {
  const range = fc
    .tuple(fc.nat(length - 1), fc.nat(length - 1))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  return fc.sample(range, 20);
}

test('a host name that a shell would read as more than a name gets no installer', async () => {
  const box = makeBox();
  const { server } = await serverOf(box);
  const { output } = await box.run('curl', '-sk', '-H', "Host: a';reboot;'", `${server.url}/install.sh`);
  expect(output).toContain('RELEASE_HOST_HEADER');
});

describe('an executable for another processor, put there by the operator', () => {
  const other = arch === 'amd64' ? 'arm64' : 'amd64';
  const nodesName = other === 'amd64' ? 'x64' : 'arm64';

  async function handedOut(version: string) {
    const box = makeBox();
    const bundle = await fakeBundle(box.root, [{ path: 'bin/a', content: 'a' }], { arch: nodesName, kagent: version });
    mkdirSync(box.path('release'));
    const executable = Buffer.concat([Buffer.from('the program'), readFileSync(bundle)]);
    writeFileSync(box.path('release', `kagent-${other}`), executable);
    const server = await joinServer({ extraDir: box.path('release') }); // 1.2.3
    const { output } = await box.run('curl', '-sk', `${server.url}/release/v1.2.3/sha256sum-${other}.txt`);
    return { output, box, server, executable, bundle };
  }

  test('is handed out, and its bundle apart', async () => {
    const { output, box, server, executable, bundle } = await handedOut('1.2.3');
    const path = box.path('gz');
    await box.run('curl', '-sk', '-o', path, `${server.url}/release/v1.2.3/kagent-${other}.gz`);
    const all = [
      { name: `kagent-${other}`, content: executable },
      { name: `bundle-${other}`, content: readFileSync(bundle) },
      { name: `kagent-${other}.gz`, content: readFileSync(path) },
    ];
    expect(output).toBe(all.map(({ name, content }) => `${sumOf(content)}  ${name}\n`).join(''));
    expect(gunzipSync(readFileSync(path))).toEqual(executable);
  });

  test('is not, if it is of another version than the server', async () => {
    expect((await handedOut('1.2.4')).output).toBe('not found');
  });
});
