/**
 * kube-apiserver's own tests, as its authors publish them, with one file of theirs exchanged: the one that starts an etcd
 * starts a kagent datastore instead (testserver/test_server.go).
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const root = resolve(import.meta.dirname, '../../../..');
const copy = join(root, 'dist/test/apiserver');
const goEnvironment = {
  ...process.env,
  PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  CGO_ENABLED: '0',
};
const maxBuffer = 256 << 20;

/** Go refuses to exchange a file of a downloaded module, and so it is copied. */
export async function copyUpstream(): Promise<void> {
  const { stdout } = await execute('go', ['mod', 'download', '-json', 'k8s.io/apiserver'], {
    cwd: import.meta.dirname,
    env: goEnvironment,
  });
  const { Dir: module } = JSON.parse(stdout) as { readonly Dir: string };
  await rm(copy, { recursive: true, force: true });
  await mkdir(copy, { recursive: true });
  await cp(module, copy, { recursive: true });
  const place = join(copy, 'pkg/storage/etcd3/testserver');
  for (const folder of [place, ...(await readdir(place)).map((name) => join(place, name))]) await chmod(folder, 0o755);
  await cp(join(import.meta.dirname, 'testserver/test_server.go'), join(place, 'test_server.go'));
}

export interface Outcome {
  readonly passed: number;
  /** Failed and skipped tests with all that was said. */
  readonly complaints: string;
}

/**
 * Upstream leaves these out itself, whatever store is below: its cache answers a list at revision 0 whole, without regard
 * to the limit.
 */
const skippedForEverybody =
  /--- SKIP: TestLists\/ListFromCacheSnapshot=(?:true|false)\/List\/test_List_with_limit_at_resource_version_0/;

/** `folder`: such as `pkg/storage/etcd3`. */
export async function runUpstream(folder: string): Promise<Outcome> {
  const binary = join(copy, `${folder.replaceAll('/', '-')}.test`);
  await execute('go', ['test', '-c', '-mod=readonly', '-o', binary, `./${folder}`], {
    cwd: copy,
    env: goEnvironment,
    maxBuffer,
  });
  const serve = [process.execPath, join(root, 'src/main.ts'), 'datastore', 'serve'];
  const output = await execute(binary, ['-test.v', '-test.timeout=10m'], {
    cwd: join(copy, folder),
    env: { ...process.env, KAGENT_TEST_SERVE: JSON.stringify(serve) },
    maxBuffer,
  }).then(
    ({ stdout }) => ({ stdout, end: '' }),
    (failure: { readonly stdout: string; readonly stderr: string }) => ({
      stdout: failure.stdout,
      end: `${failure.stdout}${failure.stderr}`.slice(-20_000),
    }),
  );
  const lines = output.stdout.split('\n');
  const bad = lines.filter((line) => /^\s*--- (?:FAIL|SKIP)/.test(line) && !skippedForEverybody.test(line));
  return {
    passed: lines.filter((line) => line.startsWith('--- PASS')).length,
    complaints: [...bad, output.end].join('\n').trim(),
  };
}
