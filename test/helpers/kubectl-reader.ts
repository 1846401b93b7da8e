/** What the bundled kubectl reads in files, told by `kubectl create --dry-run=client`. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseJson } from '../../src/shared/json/json.ts';
import { temporaryDir } from './temporary.ts';

const kubectl = process.env['KAGENT_TEST_KUBECTL'] ?? resolve(import.meta.dirname, '../../dist/components/bin/kubectl');

export interface KubectlReading {
  readonly objects: readonly unknown[];
  /** kubectl's words, where it does not take the whole file. */
  readonly refusal: string | undefined;
}

export interface KubectlReader {
  /** Reads many files with one kubectl; their objects are named `<index of the file>-<anything>`. */
  read(files: readonly string[]): Promise<readonly KubectlReading[]>;
}

/** Enough of kube-apiserver for kubectl to know what a ConfigMap is. */
async function discoveryServer() {
  const verbs = ['create', 'get', 'patch'];
  const answers: Readonly<Record<string, unknown>> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
    '/api/v1': {
      kind: 'APIResourceList',
      groupVersion: 'v1',
      resources: [{ name: 'configmaps', singularName: 'configmap', namespaced: true, kind: 'ConfigMap', verbs }],
    },
  };
  const server = createServer((request, response) => {
    const answer = answers[new URL(request.url ?? '/', 'http://api').pathname];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

/** For one test. */
export async function kubectlReader(): Promise<KubectlReader> {
  const server = await discoveryServer();
  onTestFinished(server.close);
  const home = temporaryDir();
  let runs = 0;
  return {
    async read(files) {
      const dir = join(home, String((runs += 1)));
      mkdirSync(dir);
      files.forEach((content, index) => writeFileSync(join(dir, `d${index}.yaml`), content));
      const args = [
        'create',
        '--dry-run=client',
        '--validate=false',
        '-o',
        'json',
        `--server=${server.url}`,
        '-f',
        dir,
      ];
      const { stdout, stderr } = await new Promise<{ readonly stdout: string; readonly stderr: string }>((done) => {
        const options = { env: { HOME: home, KUBECONFIG: '/dev/null' }, maxBuffer: 256 * 1024 * 1024 };
        execFile(kubectl, args, options, (_error, out, err) => done({ stdout: out, stderr: err }));
      });
      const objects = stdout
        .split(/(?<=^\}\n)(?=\{)/m)
        .filter((text) => text.trim() !== '')
        .map(parseJson);
      return files.map((_content, index) => ({
        objects: objects.filter((object) => nameOf(object).startsWith(`${index}-`)),
        refusal: stderr.split('\n').find((line) => line.includes(`/d${index}.yaml`)),
      }));
    },
  };
}

function nameOf(object: unknown): string {
  return (object as { readonly metadata: { readonly name: string } }).metadata.name;
}
