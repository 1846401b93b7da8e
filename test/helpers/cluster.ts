import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { openBundle } from '../../src/shared/assets/assets.ts';
import { askStatus, type DaemonStatus } from '../../src/shared/daemon/daemon.ts';
import { defaultDataDir, runPaths } from '../../src/shared/paths.ts';
import { createLab, type CommandResult, type Lab, type LabHost } from './lab.ts';
import { eventually } from './wait.ts';

const repository = resolve(import.meta.dirname, '../..');
/** The released file; another one can be tried with this variable. */
export const executable = process.env['KAGENT_E2E_EXECUTABLE'] ?? join(repository, 'dist/kagent');
const installed = '/usr/local/bin/kagent';
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const readyWithinMs = 120_000;

export interface Running {
  /** Ends with the exit code; 137 for a process that was killed. */
  readonly exited: Promise<number>;
  /** Everything it has written so far. */
  output(): string;
}

/** A box with the `kagent` command and what a person does on it. */
export interface Box {
  readonly host: LabHost;
  /** Where a file of the box is found from outside, as long as it is up. */
  path(absolute: string): string;
  kagent(args: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandResult>;
  /** `kagent kubectl …`. @returns stdout @throws with what kubectl wrote */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same where a refusal is what is asked for. */
  tryKubectl(...args: readonly string[]): Promise<CommandResult>;
  /** Applies a manifest: a path, or the text itself. `IMAGE` in it becomes busybox as it is in the bundle. */
  apply(manifest: string, ...args: readonly string[]): Promise<string>;
  /** The path in the box of a manifest that was put there, for commands other than apply. */
  putManifest(manifest: string): Promise<string>;
  /** Starts a command that goes on running. */
  run(command: readonly string[]): Running;
  /** `kagent server`, until the node is Ready. */
  startServer(...flags: readonly string[]): Promise<Running>;
  status(): Promise<DaemonStatus>;
  /** Sends a signal to a process by its pid in the box. */
  signal(pid: number, name: 'TERM' | 'KILL'): Promise<void>;
  /** Runs a shell's text in the box. @returns stdout */
  sh(script: string): Promise<string>;
}

export interface BoxWithLab extends Box {
  /** Boots another host on the same switch, with the last byte of its address. */
  neighbour(name: string, lastByte: number): Promise<LabHost>;
  /** Keeps the logs under `dist/e2e/<scenario>` and erases the box and its neighbours. */
  wipe(): Promise<void>;
}

/** One box in a lab of its own, with the executable installed as install.sh does; nothing runs yet. */
export async function createBox(scenario: string): Promise<BoxWithLab> {
  const lab = await createLab();
  try {
    const host = await lab.host('s1', 11);
    const box = boxOn(host);
    // What is installed on the machine itself shows through; this box has its own.
    await box.sh(`rm -rf /etc/kagent /usr/local/bin/kagent* && install -m 755 '${executable}' ${installed}`);
    return {
      ...box,
      neighbour: (name, lastByte) => lab.host(name, lastByte),
      wipe: () => keepLogsAndWipe(lab, host, scenario),
    };
  } catch (error) {
    await lab.wipe();
    throw error;
  }
}

/** A box on which `kagent server` is Ready. */
export async function createCluster(scenario: string, ...flags: readonly string[]): Promise<BoxWithLab> {
  const box = await createBox(scenario);
  try {
    await box.startServer(...flags);
    return box;
  } catch (error) {
    await box.wipe();
    throw error;
  }
}

function boxOn(host: LabHost): Box {
  const init = readFileSync(join(host.dir, 'pid'), 'utf8').trim();
  const path = (absolute: string) => join(`/proc/${init}/root`, absolute);
  let manifests = 0;
  let image: Promise<string> | undefined;

  const clean = (command: readonly string[]) => ['env', '-i', `PATH=${searchPath}`, 'HOME=/root', ...command];
  const kagent: Box['kagent'] = (args, options) => host.exec(clean([installed, ...args]), options);
  const tryKubectl: Box['tryKubectl'] = (...args) => kagent(['kubectl', ...args], { timeoutMs: 200_000 });

  const kubectl: Box['kubectl'] = async (...args) => {
    const { code, stdout, stderr } = await tryKubectl(...args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  };

  const putManifest: Box['putManifest'] = async (manifest) => {
    const content = manifest.includes('\n') ? manifest : await readFile(manifest, 'utf8');
    image ??= busyboxImage();
    const name = `/tmp/manifest-${++manifests}.yaml`;
    await writeFile(join(host.dir, 'disk', name), content.replaceAll('IMAGE', await image));
    return name;
  };

  const run: Box['run'] = (command) => {
    const child = host.start(clean(command));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => (output += String(bytes)));
    const exited = once(child, 'close').then(
      ([code, signal]) => (code as number | null) ?? (signal === null ? 1 : 137),
    );
    return { exited, output: () => output };
  };

  const status = () => askStatus(path(runPaths.statusSocket));

  return {
    host,
    path,
    kagent,
    kubectl,
    tryKubectl,
    putManifest,
    run,
    status,
    apply: async (manifest, ...args) => kubectl('apply', '-f', await putManifest(manifest), ...args),
    async startServer(...flags) {
      const server = run([installed, 'server', ...flags]);
      const ended = server.exited.then((code) => {
        throw new Error(`kagent server ended with ${code}:\n${server.output()}`);
      });
      const isReady = eventually(async () => (await status()).isReady, {
        withinMs: readyWithinMs,
        what: 'a Ready node',
      });
      try {
        await Promise.race([isReady, ended]);
      } catch (error) {
        isReady.catch(() => {}); // it looks on for a while; nobody asks any more
        throw new Error(`no Ready server; it wrote:\n${server.output()}`, { cause: error });
      }
      ended.catch(() => {}); // a later end is what a test asks for
      return server;
    },
    signal: async (pid, name) => void (await host.must(['kill', `-${name}`, String(pid)])),
    sh: (script) => host.must(clean(['sh', '-c', script])),
  };
}

/** Its full name depends on the bundle, which says it. */
export async function busyboxImage(): Promise<string> {
  const { manifest } = await openBundle(process.env['KAGENT_BUNDLE'] ?? executable);
  const image = manifest.files.find((file) => file.name === 'busybox.tar')?.image;
  if (image === undefined) throw new Error(`${executable} has no busybox image`);
  return image;
}

async function keepLogsAndWipe(lab: Lab, host: LabHost, scenario: string): Promise<void> {
  const kept = join(repository, 'dist/e2e', scenario);
  const logs = join(host.dir, 'disk', defaultDataDir, 'logs');
  try {
    await mkdir(kept, { recursive: true });
    const files = await readdir(logs).catch(() => []);
    for (const file of files) await copyFile(join(logs, file), join(kept, basename(file)));
  } finally {
    await lab.wipe();
  }
}
