/**
 * Builds dist/kagent and dist/kagent-slim, unless they were built from exactly what is here now: `node scripts/build/build.ts`.
 * What is loaded before that is known is kept small, since the installer asks each time it is run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const stamp = join(root, 'dist', 'kagent.built-from');

/** A hash of the sources, the tools that matter and what they made. */
function builtFrom(): string {
  const hash = createHash('sha256');
  for (const path of [
    'src',
    'components',
    'scripts/build',
    'scripts/install.sh',
    'package.json',
    'package-lock.json',
    'tsup.config.ts',
  ]) {
    for (const file of filesOf(join(root, path))) hash.update(`\0${file}\0`).update(readFileSync(file));
  }
  hash
    .update(output('go', 'env', 'GOVERSION'))
    .update(process.version)
    .update(output('git', 'log', '-1', '--format=%ct'));
  return hash.digest('hex');
}

/** Size and time of the result: one that was touched since is built again. */
function result(): string {
  return ['kagent', 'kagent-slim'].map((name) => fingerprint(join(root, 'dist', name))).join(' ');
}

function fingerprint(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'missing' : `${stat.size}:${stat.mtimeMs}`;
}

function filesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** What a tool prints; nothing where it is missing, which its user will say better. */
function output(command: string, ...args: readonly string[]): string {
  try {
    return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

function known(): string | undefined {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return undefined;
  }
}

const inputs = builtFrom();
if (known() === `${inputs} ${result()}`) {
  process.stdout.write('dist/kagent is built from exactly this already\n');
} else {
  const { buildAll } = await import('./executable.ts');
  if (await buildAll({ arch: process.arch, bundle: undefined, slim: false })) {
    writeFileSync(stamp, `${inputs} ${result()}`);
  } else process.exitCode = 1;
}
