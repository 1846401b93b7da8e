/**
 * Builds dist/kagent and dist/kagent-slim, unless they were built from exactly what is here now:
 * `node scripts/build/build.ts [--arch arm64]`; scripts/release.sh says more with `--version`, `--address` and `--out`. With
 * `--check` it builds nothing, and fails where something would have to be built: for that no tools are needed.
 * What is loaded before that is known is kept small, since the installer asks each time it is run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dateOfCommit } from './commit.ts';
import { targetOf } from './target.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch },
    version: { type: 'string', default: packageVersion() },
    address: { type: 'string' },
    out: { type: 'string' },
    check: { type: 'boolean', default: false },
  },
});
const target = targetOf(values.arch);
const out = values.out ?? join(root, 'dist', target.isForeign ? target.name : '');
const stamp = join(out, 'kagent.built-from');

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

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
    .update(process.version)
    .update(process.env['SOURCE_DATE_EPOCH'] ?? output('git', ...dateOfCommit))
    .update(JSON.stringify([target.arch, values.version, values.address]));
  return hash.digest('hex');
}

/** Size and time of the result: one that was touched since is built again. */
function result(): string {
  return ['kagent', 'kagent-slim'].map((name) => fingerprint(join(out, name))).join(' ');
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
  process.stdout.write(`${relative(process.cwd(), join(out, 'kagent'))} is built from exactly this already\n`);
} else if (values.check) {
  process.exitCode = 1;
} else {
  const { buildAll } = await import('./executable.ts');
  const { version, address } = values;
  if (await buildAll({ target, bundle: undefined, slim: false, version, address, out })) {
    writeFileSync(stamp, `${inputs} ${result()}`);
  } else process.exitCode = 1;
}
