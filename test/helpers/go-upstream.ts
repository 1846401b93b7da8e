/** Tests of a Go module as its authors publish them, with files of ours beside or in the place of theirs. */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { buildGoProgram, downloadModule } from './go.ts';
import { buildServe } from './serve.ts';

const execute = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const maxBuffer = 256 << 20;

/**
 * Go refuses to exchange a file of a downloaded module, and so it is copied, anew each time.
 * @param pinnedIn the folder whose go.mod says which version
 * @param copy where to, from the project's root
 */
export async function copyModule(module: string, pinnedIn: string, copy: string): Promise<void> {
  const { dir: source } = await downloadModule(module, pinnedIn);
  const target = join(root, copy);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await cp(source, target, { recursive: true });
  await makeWritable(target);
}

async function makeWritable(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await makeWritable(path);
    else await chmod(path, 0o644);
  }
}

export interface Outcome {
  readonly passed: number;
  /** Failed and skipped tests with all that was said. */
  readonly complaints: string;
}

export interface UpstreamTests {
  /** The copy, from the project's root. */
  readonly module: string;
  /** Within it, such as `pkg/storage/etcd3`. */
  readonly folder: string;
  /** Go's patterns of what to run; everything when absent. */
  readonly run?: string;
  readonly skip?: string;
  /** Lines of skipped tests that upstream skips whatever is below. */
  readonly skippedForEverybody?: RegExp;
}

let serve: Promise<readonly string[]> | undefined;

/** They start datastores, some four hundred in all, by the command in KAGENT_TEST_SERVE. */
export async function runUpstream(tests: UpstreamTests): Promise<Outcome> {
  const name = `${tests.module}/${tests.folder}`.replaceAll('/', '-').replace('dist-test-', '');
  const binary = await buildGoProgram({
    module: tests.module,
    package: `./${tests.folder}`,
    name: `${name}.test`,
    isTest: true,
  });
  serve ??= buildServe(basename(tests.module));
  const chosen = [
    ...(tests.run === undefined ? [] : [`-test.run=${tests.run}`]),
    ...(tests.skip === undefined ? [] : [`-test.skip=${tests.skip}`]),
  ];
  const output = await execute(binary, ['-test.v', '-test.timeout=15m', ...chosen], {
    cwd: join(root, tests.module, tests.folder),
    env: { ...process.env, KAGENT_TEST_SERVE: JSON.stringify(await serve) },
    maxBuffer,
  }).then(
    ({ stdout }) => ({ stdout, end: '' }),
    (failure: { readonly stdout: string; readonly stderr: string }) => ({
      stdout: failure.stdout,
      end: `${failure.stdout}${failure.stderr}`.slice(-20_000),
    }),
  );
  const lines = output.stdout.split('\n');
  const bad = lines.filter(
    (line) => /^\s*--- (?:FAIL|SKIP)/.test(line) && tests.skippedForEverybody?.test(line) !== true,
  );
  return {
    passed: lines.filter((line) => line.startsWith('--- PASS')).length,
    complaints: [...bad, output.end].join('\n').trim(),
  };
}
