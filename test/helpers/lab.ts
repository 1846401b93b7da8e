import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const script = join(import.meta.dirname, '../../src/lab/lab.sh');
const run = promisify(execFile);

export interface LabOptions {
  /** Of the hosts' disks: on ext4, xfs or btrfs. */
  readonly dir?: string;
  /** Begins the names of what is made; unique for each run. */
  readonly prefix?: string;
  /** The first three bytes of the hosts' addresses. */
  readonly net?: string;
  /** Folders every host sees as they are. */
  readonly share?: readonly string[];
  /** Where the default route leads, if not to the switch. @see src/lab/lab.sh, LAB_UPLINK */
  readonly uplink?: 'none' | 'user';
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** Its disk, from outside. */
  readonly dir: string;
  /** Runs to its end; a code other than 0 is an answer, not an error. */
  exec(command: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** As `exec`, but any code other than 0 throws with what was written. @returns stdout */
  must(command: readonly string[], options?: ExecOptions): Promise<string>;
  /** Keeps running; ends with the host. */
  start(command: readonly string[], options?: ExecOptions): ChildProcess;
  /** Power cut: the disk is kept, `up` boots it again. */
  off(): Promise<void>;
  isOff(): Promise<boolean>;
  up(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** So many of a hundred packets to this host are lost; 0 ends it. */
  loss(percent: number): Promise<void>;
  /** The switch's end of its cable takes no larger packets; its own end says 1500. */
  mtu(size: number): Promise<void>;
}

export interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** What a host boots instead of a copy of this machine with nothing running on it. */
export interface BootOptions {
  /** The folder whose copy is its root. */
  readonly root: string;
  /** Its first program, with arguments. */
  readonly init: string;
}

export interface Lab {
  /** Boots a host with the address `<net>.<lastByte>`. */
  host(name: string, lastByte: number, boot?: BootOptions): Promise<LabHost>;
  /** Ends and erases every host, and the switch. */
  wipe(): Promise<void>;
  /** The network namespace of the switch, which has the address `<net>.1` in every host's network. */
  readonly switchNetns: string;
  readonly switchAddress: string;
}

/** Several hosts on this machine, on one switch; needs root. @see src/lab/lab.sh */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  const prefix = options.prefix ?? `kt${process.pid.toString(36)}`;
  const dir = options.dir ?? join('/var/tmp', `klab-${prefix}`);
  const net = options.net ?? `10.77.${process.pid % 250}`;
  const env = {
    ...process.env,
    LAB: dir,
    LAB_PREFIX: prefix,
    LAB_NET: net,
    LAB_SHARE: (options.share ?? []).join(' '),
    LAB_UPLINK: options.uplink ?? '',
  };
  const lab = async (...args: readonly string[]) => void (await run(script, args, { env }));
  const hosts: LabHost[] = [];
  await lab('net-up');
  return {
    switchNetns: `${prefix}-sw`,
    switchAddress: `${net}.1`,
    async host(name, lastByte, boot) {
      const booted = { ...env, ...(boot && { LAB_ROOT: boot.root, LAB_INIT: boot.init }) };
      const up = async () => void (await run(script, ['up', name, String(lastByte)], { env: booted }));
      await up();
      const host = labHost({ name, up, dir: join(dir, name), address: `${net}.${lastByte}`, env, lab });
      hosts.push(host);
      return host;
    },
    async wipe() {
      for (const host of hosts.splice(0)) await lab('wipe', host.name);
      await lab('net-down');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

interface HostContext {
  readonly name: string;
  readonly up: () => Promise<void>;
  readonly dir: string;
  readonly address: string;
  readonly env: NodeJS.ProcessEnv;
  readonly lab: (...args: readonly string[]) => Promise<void>;
}

function labHost({ name, up, dir, address, env, lab }: HostContext): LabHost {
  const exec: LabHost['exec'] = (command, { env: extra = {}, timeoutMs = 120_000 } = {}) =>
    new Promise((resolve, reject) => {
      const settings = { env: { ...env, ...extra }, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
      execFile(script, ['exec', name, ...command], settings, (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(error); // not started, or out of time
      });
    });
  return {
    name,
    address,
    dir,
    exec,
    async must(command, settings) {
      const { code, stdout, stderr } = await exec(command, settings);
      if (code !== 0) throw new Error(`${name}: ${command.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
      return stdout;
    },
    start: (command, { env: extra = {} } = {}) =>
      spawn(script, ['exec', name, ...command], { env: { ...env, ...extra }, stdio: ['ignore', 'pipe', 'pipe'] }),
    off: () => lab('off', name),
    isOff: async () => (await run(script, ['state', name], { env })).stdout.trim() === 'off',
    up,
    freeze: () => lab('freeze', name),
    thaw: () => lab('thaw', name),
    unplug: () => lab('unplug', name),
    plug: () => lab('plug', name),
    loss: (percent) => lab('loss', name, String(percent)),
    mtu: (size) => lab('mtu', name, String(size)),
  };
}
