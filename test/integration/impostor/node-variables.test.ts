/**
 * An impostor shows the cluster's true CA, which is public, and a certificate that it made itself; the box has variables
 * set that tell programs on Node to trust, to log or to load. kagent runs as a process of its own, as a person has it.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openPki } from '../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const src = resolve(import.meta.dirname, '../../../src');
const secret = '0123456789abcdef0123456789abcdef';

async function impostor() {
  const dir = temporaryDir();
  const real = await openPki(join(dir, 'real'));
  const own = await openPki(join(dir, 'own'));
  const leaf = await own.keepLeaf(own.serverCa, {
    name: 'supervisor',
    commonName: 'kagent',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  const asked: string[] = [];
  const server = createServer(
    { cert: readFileSync(leaf.certFile), key: readFileSync(leaf.keyFile) },
    (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'without a token'}`);
      response.end(request.url === '/cacerts' ? real.serverCa.caPem : '{}');
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const caFile = join(dir, 'impostor-ca.pem');
  writeFileSync(caFile, own.serverCa.caPem);
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, caFile, caPem: real.serverCa.caPem, caHash: real.serverCa.caHash, asked };
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

function node(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((done) => {
    const options = { env: { PATH: process.env['PATH'], ...env }, timeout: 30_000 };
    execFile(process.execPath, args, options, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
}

/** Runs `code` in a process, which has `src` imported as `kagent`. */
function script(module: string, code: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const text = `import * as kagent from '${join(src, module)}';\n${code}`;
  return node(['--input-type=module', '-e', text], env);
}

test('the doctor sends no token to an impostor, whatever the environment says about other programs', async () => {
  const { url, caFile, caHash, asked } = await impostor();
  const token = `K10${caHash}::server:${secret}`;
  const { output } = await node([join(src, 'main.ts'), 'doctor', 'agent', '--from', url, '--token', token], {
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
    NODE_EXTRA_CA_CERTS: caFile,
    NODE_DEBUG: 'http,https,tls',
  });
  expect(output).toContain('TLS');
  expect(asked).toEqual(['GET /cacerts without a token']); // asked without trust on purpose; its hash is what counts
  expect(output).not.toContain(secret);
  expect(output).not.toMatch(/^(HTTP|HTTPS|TLS) \d+:/m);
  expect(output).not.toContain('NODE_TLS_REJECT_UNAUTHORIZED'); // Node's own warning
});

const unverified = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };

test('a request verifies because it says so, also where the variable is set all along', async () => {
  const { url, caPem, asked } = await impostor();
  const code = `const agent = kagent.httpsAgent({ ca: ${JSON.stringify(caPem)} });
    await kagent.httpRequest({ url: '${url}', agent, timeoutMs: 5000 }).catch((error) => console.log(error.code));`;
  const { output } = await script('shared/http/http.ts', code, unverified);
  expect(output).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
  expect(asked).toEqual([]);
});

test('a CA that a variable names for other programs is not believed', async () => {
  const { caFile } = await impostor();
  const code = `import { readFileSync } from 'node:fs';
    const text = (pem) => pem.replaceAll(/\\s/g, '');
    console.log(kagent.publicCas().map(text).includes(text(readFileSync('${caFile}', 'utf8'))), kagent.publicCas().length > 50);`;
  const { output } = await script('shared/http/http.ts', code, { NODE_EXTRA_CA_CERTS: caFile });
  expect(output).toBe('false true\n');
});

test('a bundle is not downloaded from an impostor', async () => {
  const { url, asked } = await impostor();
  const path = join(temporaryDir(), 'bundle');
  const code = `import { open } from 'node:fs/promises';
    const file = await open('${path}', 'w');
    const asked = { url: '${url}/bundle', file, sizeBytes: 2, signal: AbortSignal.timeout(5000) };
    await kagent.download(asked).catch((error) => console.log(error.code));`;
  const { output } = await script('host/assets/download.ts', code, unverified);
  expect(output).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
  expect(asked).toEqual([]);
});

test('a node opens no channel to an impostor', async () => {
  const { url, caPem, asked } = await impostor();
  const dir = temporaryDir();
  const pki = await openPki(join(dir, 'node'));
  const leaf = await pki.keepLeaf(pki.clientCa, { name: 'n1', commonName: 'n1', usages: ['client'] });
  const paths = { caPath: join(dir, 'ca'), certPath: leaf.certFile, keyPath: leaf.keyFile };
  writeFileSync(paths.caPath, caPem);
  const code = `const credentials = () => (${JSON.stringify(paths)});
    const connection = new kagent.Connection('${url}', { credentials, hello: () => ({}) }, () => {});
    console.log((await connection.ended(new AbortController().signal)).reason);`;
  const { output } = await script('agent/channel/connection.ts', code, unverified);
  expect(output).toMatch(/unable to verify|self.signed/);
  expect(asked).toEqual([]);
});
