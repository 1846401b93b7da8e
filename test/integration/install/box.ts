import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { stopDaemon } from '../../../src/host/service/service.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const project = join(import.meta.dirname, '../../..');
const standIn = join(project, 'test/fixtures/stand-in/kagent.ts');

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** A folder that is a box to install on, with commands of the test's own before the real ones. */
export function makeBox() {
  const root = temporaryDir();
  const commands = join(root, 'commands');
  mkdirSync(commands);
  onTestFinished(async () => void (await stopDaemon(join(root, 'run/kagent/kagent.pid'), 5000)));
  const env = {
    PATH: [commands, dirname(process.execPath), '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(delimiter),
    HOME: root,
    INSTALL_KAGENT_ROOT: root,
    KAGENT_STAND_IN_ROOT: root,
    INSTALL_KAGENT_SERVICE_MANAGER: 'none',
  };
  return {
    root,
    path: (...parts: readonly string[]) => join(root, ...parts),
    read: (...parts: readonly string[]) => readFileSync(join(root, ...parts), 'utf8'),
    command: (name: string, script: string) =>
      writeFileSync(join(commands, name), `#!/bin/sh\n${script}`, { mode: 0o755 }),
    install: (
      script: string,
      args: readonly string[] = [],
      more: Readonly<Record<string, string>> = {},
    ): Promise<Ran> => run('/bin/sh', [script, ...args], { ...env, ...more }),
    run: (command: string, ...args: readonly string[]): Promise<Ran> => run(command, args, env),
    runWith: (more: Readonly<Record<string, string>>, command: string, ...args: readonly string[]): Promise<Ran> =>
      run(command, args, { ...env, ...more }),
  };
}

export type Box = ReturnType<typeof makeBox>;

/** A box on whose PATH only one of the two downloaders is found, and none of the programs that it is to be `without`. */
export function boxWith(
  downloader: string,
  without: readonly string[] = [],
): { readonly box: Box; readonly env: Readonly<Record<string, string>> } {
  const box = makeBox();
  for (const dir of ['/bin', '/usr/bin']) {
    for (const name of readdirSync(dir)) {
      if (['curl', 'wget', ...without].includes(name) && name !== downloader) continue;
      if (!existsSync(box.path('commands', name))) link(join(dir, name), box.path('commands', name));
    }
  }
  return { box, env: { PATH: box.path('commands') } };
}

/** One file that runs the stand-in; `version` makes its bytes differ. */
export function writeExecutable(path: string, version: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n# ${version}\nexec '${process.execPath}' '${standIn}' "$@"\n`, { mode: 0o755 });
}

/** A checkout whose build takes no time: its executable is the stand-in. */
export function makeCheckout(box: Box): string {
  const dir = box.path('checkout');
  mkdirSync(join(dir, 'scripts/build'), { recursive: true });
  cpSync(join(project, 'scripts/install.sh'), join(dir, 'scripts/install.sh'));
  copyBuildScripts(dir);
  installNode(dir);
  writeFileSync(join(dir, 'scripts/build/bundle.ts'), "console.log('    bundle: up to date');");
  mkdirSync(join(dir, 'dist'));
  writeExecutable(join(dir, 'dist/kagent'), 'one');
  writeFileSync(join(dir, 'scripts/build/build.ts'), "console.log('    executable: up to date');");
  return join(dir, 'scripts/install.sh');
}

export function copyBuildScripts(dir: string): void {
  for (const name of ['brought.sh', 'go.sh', 'node.sh']) {
    cpSync(join(project, 'scripts/build', name), join(dir, 'scripts/build', name));
  }
}

/** As npm leaves it, with the Node of this run. */
export function installNode(dir: string): void {
  const lock = JSON.stringify({ name: 'checkout', lockfileVersion: 3, packages: { '': {} } });
  const bin = join(dir, `node_modules/node-linux-${process.arch}/bin`);
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, join(bin, 'node'));
  writeFileSync(join(dir, 'package-lock.json'), lock);
  writeFileSync(join(dir, 'node_modules/.installed-lock.json'), lock);
}

export function link(target: string, path: string): void {
  symlinkSync(target, path);
}

export function makeReadOnly(path: string): void {
  chmodSync(path, 0o555);
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(command, [...args], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
    );
    child.stdin?.end();
  });
}

/** The script alone, as a pipe or a download has it: no checkout around it. */
export function loneScript(box: Box): string {
  cpSync(join(project, 'scripts/install.sh'), box.path('get.sh'));
  return box.path('get.sh');
}

/** For a test that is about files alone. */
export const noStart = { INSTALL_KAGENT_SKIP_START: 'true', INSTALL_KAGENT_SYMLINK: 'skip' };

export const filesIn = (dir: string) => (existsSync(dir) ? readdirSync(dir) : []);

export const sumOf = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** What the compressed forms of an executable are made by. */
export const compressors = { gz: gzipSync, zst: zstdCompressSync } as const;
export type Form = keyof typeof compressors;
