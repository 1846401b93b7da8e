import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openBundle } from '../../src/host/assets/assets.ts';
import { askStatus, hasStarted } from '../../src/host/daemon/daemon.ts';
import type { DaemonStatus } from '../../src/host/daemon/daemon.ts';
import { allocatorVariables } from '../../src/host/service/allocator.ts';
import { defaultDataDir, runPaths } from '../../src/shared/paths.ts';
import { createLab } from './lab.ts';
import type { CommandResult, Lab, LabHost, LabOptions } from './lab.ts';
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
  /** Starts a command that keeps running. */
  run(command: readonly string[]): Running;
  /** `kagent server`, until the node is Ready. */
  startServer(...flags: readonly string[]): Promise<Running>;
  /** `kagent agent`, until the node is Ready. */
  startAgent(...flags: readonly string[]): Promise<Running>;
  status(): Promise<DaemonStatus>;
  /** Sends a signal to a process by its pid in the box. */
  signal(pid: number, name: 'TERM' | 'KILL' | 'STOP' | 'CONT'): Promise<void>;
  /** Runs a shell's text in the box. @returns stdout */
  sh(script: string): Promise<string>;
  /** What was started last by `startServer` or `startAgent`. */
  running(): Running;
  /** Keeps a copy of everything kagent has on its disk; the box is off. */
  copyDisk(): Promise<void>;
  /** Erases what is on the disk and puts the copy there; the box is off. */
  restoreDisk(): Promise<void>;
}

export interface BoxWithLab extends Box {
  /** Another box on the same switch; nothing runs on it. */
  addBox(name: string, lastByte: number): Promise<Box>;
  /** Keeps the logs under `dist/e2e/<scenario>` and erases the box. */
  wipe(): Promise<void>;
}

/** One box in a lab of its own, with the executable installed as install.sh does; nothing runs yet. */
export async function createBox(scenario: string): Promise<BoxWithLab> {
  const lab = await createLab();
  try {
    const box = await installedBox(lab, 's1', 11);
    const boxes = [box];
    return {
      ...box,
      async addBox(name, lastByte) {
        const another = await installedBox(lab, name, lastByte);
        boxes.push(another);
        return another;
      },
      wipe: () => keepLogsAndWipe(lab, boxes, scenario),
    };
  } catch (error) {
    await lab.wipe();
    throw error;
  }
}

/**
 * Boxes on one switch without anything of kagent, not even the executable.
 * @param share folders that every box sees
 */
export async function createBareBoxes(
  scenario: string,
  names: readonly string[],
  share: readonly string[] = [],
): Promise<BareBoxes> {
  const lab = await createLab({ share });
  const boxes: Box[] = [];
  const wipe = () => keepLogsAndWipe(lab, boxes, scenario);
  try {
    for (const [index, name] of names.entries()) {
      const box = await installedBox(lab, name, 11 + index);
      await box.sh(`rm -f ${installed}`);
      boxes.push(box);
    }
    return { boxes, wipe };
  } catch (error) {
    await wipe();
    throw error;
  }
}

export interface BareBoxes {
  readonly boxes: readonly Box[];
  wipe(): Promise<void>;
}

async function installedBox(lab: Lab, name: string, lastByte: number): Promise<Box> {
  const box = boxOn(await lab.host(name, lastByte));
  // What is installed on the machine itself shows through; this box has its own.
  await box.sh(`rm -rf /etc/kagent /usr/local/bin/kagent* && install -m 755 '${executable}' ${installed}`);
  return box;
}

/** A server and the boxes that have joined it, on one switch. */
export interface Nodes {
  readonly server: Box;
  /** `a1`, `a2`, … */
  readonly agents: readonly Box[];
  /** `https://…:9345` */
  readonly url: string;
  /** The text of server/node-token. */
  token(): Promise<string>;
  /** `--url` and `--token`, which every agent needs. */
  joinFlags(): Promise<readonly string[]>;
  /** Another box on the switch; nothing runs on it. */
  addBox(name: string, lastByte: number): Promise<Box>;
  /** Keeps the logs and erases all boxes. */
  wipe(): Promise<void>;
}

/** A Ready server and agents that join at once. */
export async function createNodes(
  scenario: string,
  options: {
    readonly agents: number;
    readonly serverFlags?: readonly string[];
    readonly agentFlags?: readonly string[];
    readonly uplink?: LabOptions['uplink'];
  },
): Promise<Nodes> {
  const { serverFlags = [], agentFlags = [], uplink } = options;
  const lab = await createLab({ ...(uplink && { uplink }) });
  const boxes: Box[] = [];
  const addBox = async (name: string, lastByte: number): Promise<Box> => {
    const box = await installedBox(lab, name, lastByte);
    boxes.push(box);
    return box;
  };
  try {
    const server = await addBox('s1', 11);
    const names = Array.from({ length: options.agents }, (_, index) => `a${index + 1}`);
    const agents = await Promise.all(names.map((name, index) => addBox(name, 21 + index)));
    const url = `https://${server.host.address}:9345`;
    const token = async () => (await server.sh('cat /var/lib/kagent/server/node-token')).trim();
    const joinFlags = async () => ['--url', url, '--token', await token()];
    await server.startServer(...serverFlags);
    const flags = await joinFlags();
    await Promise.all(agents.map((agent) => agent.startAgent(...flags, ...agentFlags)));
    return { server, agents, url, token, joinFlags, addBox, wipe: () => keepLogsAndWipe(lab, boxes, scenario) };
  } catch (error) {
    await keepLogsAndWipe(lab, boxes, scenario);
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

export function boxOn(host: LabHost): Box {
  // Another one after each boot.
  const init = () => readFileSync(join(host.dir, 'pid'), 'utf8').trim();
  const path = (absolute: string) => join(`/proc/${init()}/root`, absolute);
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
    const name = `/tmp/manifest-${++manifests}.yaml`;
    if (content.includes('IMAGE')) image ??= busyboxImage();
    await writeFile(join(host.dir, 'disk', name), content.replaceAll('IMAGE', (await image) ?? ''));
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

  const asService = Object.entries(allocatorVariables).map(([name, value]) => `${name}=${value}`);
  let started: Running | undefined;
  const disk = join(host.dir, 'disk/var/lib');

  const start = async (mode: 'server' | 'agent', flags: readonly string[]): Promise<Running> => {
    const running = run(['env', ...asService, installed, mode, ...flags]);
    started = running;
    const ended = running.exited.then((code) => {
      throw new Error(`kagent ${mode} ended with ${code}:\n${running.output()}`);
    });
    // Not whether all is ready: what answers for the cluster's DNS, or a server that is away, keeps no node waiting.
    const isUp = eventually(async () => hasStarted(await status()), { withinMs: readyWithinMs, what: 'a Ready node' });
    try {
      await Promise.race([isUp, ended]);
    } catch (error) {
      isUp.catch(() => {}); // it asks for a while yet; nobody waits for it any more
      throw new Error(`${host.name} is not Ready; it wrote:\n${running.output()}`, { cause: error });
    }
    ended.catch(() => {}); // a later end is what a test asks for
    return running;
  };

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
    startServer: (...flags) => start('server', flags),
    startAgent: (...flags) => start('agent', flags),
    running() {
      if (started === undefined) throw new Error(`nothing was started on ${host.name}`);
      return started;
    },
    copyDisk: () => cp(join(disk, 'kagent'), join(host.dir, 'copy'), { recursive: true, preserveTimestamps: true }),
    async restoreDisk() {
      for (const name of ['kagent', 'kubelet', 'containerd', 'cni']) {
        await rm(join(disk, name), { recursive: true, force: true });
        await mkdir(join(disk, name));
      }
      await cp(join(host.dir, 'copy'), join(disk, 'kagent'), { recursive: true, preserveTimestamps: true });
    },
    signal: async (pid, name) => void (await host.must(['kill', `-${name}`, String(pid)])),
    sh: (script) => host.must(clean(['sh', '-c', script])),
  };
}

/** Its full name depends on the bundle, which says it. */
export async function busyboxImage(from = process.env['KAGENT_BUNDLE'] ?? executable): Promise<string> {
  const { manifest } = await openBundle(from);
  const image = manifest.files.find((file) => file.name === 'busybox.tar')?.image;
  if (image === undefined) throw new Error(`${from} has no busybox image`);
  return image;
}

export async function keepLogsAndWipe(lab: Lab, boxes: readonly Box[], scenario: string): Promise<void> {
  try {
    for (const { host } of boxes) {
      const kept = join(repository, 'dist/e2e', scenario, boxes.length === 1 ? '' : host.name);
      const logs = join(host.dir, 'disk', defaultDataDir, 'logs');
      await mkdir(kept, { recursive: true });
      const entries = await readdir(logs, { withFileTypes: true }).catch(() => []);
      for (const { name } of entries.filter((entry) => entry.isFile()))
        await copyFile(join(logs, name), join(kept, name));
    }
  } finally {
    await lab.wipe();
  }
}
