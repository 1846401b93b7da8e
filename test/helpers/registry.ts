import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { extract } from 'tar-stream';
import { onTestFinished } from 'vitest';
import { writeImage } from '../../scripts/build/oci.ts';
import { openPki } from '../../src/server/pki/pki.ts';
import { freePort } from './etcd-servers.ts';
import { buildGoProgram } from './go.ts';
import { eventually } from './wait.ts';

const run = promisify(execFile);

/** A store of images, and what programs that serve it need. */
export interface RegistryFiles {
  readonly program: string;
  readonly caFile: string;
  /** Who may pull: lines of `passwordLine`, read anew when it changes. */
  readonly passwordsFile: string;
  /** A configuration for `registry serve`; with TLS, and with passwords if `isPrivate`. */
  config(options: { readonly port: number; readonly isPrivate: boolean }): Promise<string>;
  passwordLine(user: string, password: string): Promise<string>;
}

/** @param dir everything is in there; it may be shared into a lab's hosts */
export async function registryFiles(dir: string, host: string): Promise<RegistryFiles> {
  const program = await buildGoProgram({ module: 'test/fixtures/registry' });
  const pki = await openPki(dir);
  const leaf = { name: 'registry', commonName: host, dnsNames: [host], usages: ['server'] } as const;
  const { certFile, keyFile } = await pki.keepLeaf(pki.serverCa, leaf);
  const passwordsFile = join(dir, 'htpasswd');
  return {
    program,
    caFile: pki.serverCa.certFile,
    passwordsFile,
    async config({ port, isPrivate }) {
      const path = join(dir, `registry-${port}.json`);
      const config = {
        ...storageConfig(dir, `0.0.0.0:${port}`, { certificate: certFile, key: keyFile }),
        ...(isPrivate && { auth: { htpasswd: { realm: 'images', path: passwordsFile } } }),
      };
      await writeFile(path, JSON.stringify(config)); // which is YAML too
      return path;
    },
    passwordLine: async (user, password) => (await run(program, ['htpasswd', user, password])).stdout,
  };
}

function storageConfig(dir: string, addr: string, tls?: object) {
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'images') }, delete: { enabled: true } },
    http: { addr, ...(tls && { tls }) },
  };
}

/** Puts images that say their word into the store, by a registry that runs as long as that takes. */
export async function pushImages(dir: string, program: string, words: Readonly<Record<string, string>>): Promise<void> {
  const { stop } = await registryWith(dir, program, words);
  await stop();
}

/** @returns the address of a registry that has these images until the test ends, without TLS or passwords */
export async function serveImages(
  dir: string,
  program: string,
  words: Readonly<Record<string, string>>,
): Promise<string> {
  const { address, stop } = await registryWith(dir, program, words);
  onTestFinished(stop);
  return address;
}

async function registryWith(dir: string, program: string, words: Readonly<Record<string, string>>) {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(dir, 'push.json');
  await mkdir(dir, { recursive: true });
  await writeFile(config, JSON.stringify(storageConfig(dir, address)));
  const registry = spawn(program, ['serve', config], { stdio: 'ignore', env: { OTEL_TRACES_EXPORTER: 'none' } });
  const stop = async () => {
    const ended = once(registry, 'close');
    if (registry.kill()) await ended;
  };
  try {
    const url = `http://${address}/v2/`;
    await eventually(async () => (await fetch(url)).ok, { what: 'the registry' });
    for (const [name, word] of Object.entries(words)) await push(`${url}${name}`, await imageOf(dir, program, word));
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, stop };
}

/** @returns its blobs and index by their names in the archive */
async function imageOf(dir: string, program: string, word: string): Promise<ReadonlyMap<string, Buffer>> {
  const path = join(dir, 'image.tar');
  const files = [
    { path: '/registry', content: await readFile(program), mode: 0o755 },
    { path: '/word', content: Buffer.from(`${word}\n`), mode: 0o644 },
  ];
  await writeImage(path, { name: 'x/image:1', arch: process.arch, files, entrypoint: ['/registry', 'say', '/word'] });
  const entries = new Map<string, Buffer>();
  for await (const entry of createReadStream(path).pipe(extract())) {
    entries.set(entry.header.name, await buffer(entry));
  }
  return entries;
}

async function push(repository: string, image: ReadonlyMap<string, Buffer>): Promise<void> {
  const index = JSON.parse(String(image.get('index.json'))) as {
    readonly manifests: readonly { readonly digest: string; readonly mediaType: string }[];
  };
  const [main] = index.manifests;
  if (main === undefined) throw new Error('the archive has no image');
  const manifest = image.get(`blobs/sha256/${main.digest.slice(7)}`);
  for (const [name, content] of image) {
    if (!name.startsWith('blobs/') || content === manifest) continue;
    const opened = await must(await fetch(`${repository}/blobs/uploads/`, { method: 'POST' }));
    const target = new URL(opened.headers.get('location') ?? '', repository);
    target.searchParams.set('digest', `sha256:${name.slice(-64)}`);
    const headers = { 'content-type': 'application/octet-stream' };
    await must(await fetch(target, { method: 'PUT', body: new Uint8Array(content), headers }));
  }
  const headers = { 'content-type': main.mediaType };
  await must(
    await fetch(`${repository}/manifests/1`, { method: 'PUT', body: new Uint8Array(manifest ?? []), headers }),
  );
}

async function must(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`);
  return response;
}
