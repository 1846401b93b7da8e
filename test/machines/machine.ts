/** A full virtual machine under QEMU, emulated: its own kernel, systemd as its first process, cgroup v2 alone. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../helpers/wait.ts';
import { guestShell, isAwake, passSilence } from './guest-agent.ts';
import type { GuestResult } from './guest-agent.ts';
import type { Arch, Image } from './image.ts';
import { qmp } from './qmp.ts';

const run = promisify(execFile);

export type Cards = 'one' | 'two' | 'no-default-route' | 'ipv6-link-local';

export interface MachineOptions {
  /** `m1` or `m2`: the two that are on one cable. */
  readonly name: 'm1' | 'm2';
  /** Of the two machines' sockets and disks. */
  readonly dir: string;
  readonly arch: Arch;
  readonly image: Image;
  readonly cards: Cards;
  /** A file system that is mounted at /mnt/release. */
  readonly release?: string | undefined;
  readonly memoryMiB?: number;
}

export interface Machine {
  readonly name: string;
  /** By which the other machine reaches it. */
  readonly address: string;
  /** What it has written to its console. */
  readonly console: string;
  /** Runs a shell's text as root; a code other than 0 is an answer. */
  exec(script: string, options?: { readonly timeoutMs?: number }): Promise<GuestResult>;
  /** The same, but any code other than 0 throws with what was written. @returns stdout */
  sh(script: string, options?: { readonly timeoutMs?: number }): Promise<string>;
  /** Switches it on; returns when it runs commands. */
  boot(): Promise<void>;
  /** Asks systemd for a reboot. @returns milliseconds until the kernel has started anew */
  reboot(): Promise<number>;
  /** Pulls the plug: what the kernel had not written is lost. */
  cutPower(): Promise<void>;
  /** The cable between the two machines. */
  setLink(isUp: boolean): Promise<void>;
}

const commandTimeoutMs = 300_000;
const bootWithinMs = 300_000;

export function machine(options: MachineOptions): Machine {
  const { name, dir } = options;
  const path = (file: string) => join(dir, `${name}.${file}`);
  const number = Number(name.slice(1));
  const [agent, control, pidFile] = [path('agent'), path('control'), path('pid')];

  const exec: Machine['exec'] = (script, { timeoutMs = commandTimeoutMs } = {}) => guestShell(agent, script, timeoutMs);
  const sh: Machine['sh'] = async (script, settings) => {
    const { code, stdout, stderr } = await exec(script, settings);
    if (code !== 0) throw new Error(`${name}: ${script}\nended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  };
  const bootId = async () => (await sh('cat /proc/sys/kernel/random/boot_id')).trim();
  const awake = () =>
    eventually(() => isAwake(agent), { withinMs: bootWithinMs, everyMs: 1000, what: `${name}'s boot` });

  return {
    name,
    address: `10.77.0.${10 + number}`,
    console: path('console'),
    exec,
    sh,
    async boot() {
      await mkdir(dir, { recursive: true });
      if (!existsSync(path('disk'))) {
        await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', options.image.disk, path('disk')]);
      }
      for (const file of [agent, control, path('cable')]) await rm(file, { force: true });
      const log = await open(path('qemu'), 'a');
      const [command, args] = commandLine(options, number, path);
      const child = spawn(command, args, { detached: true, stdio: ['ignore', log.fd, log.fd] });
      child.unref();
      await log.close();
      await eventually(() => existsSync(agent), { what: `QEMU for ${name} (see ${path('qemu')})` });
      await awake();
    },
    async reboot() {
      const before = await bootId();
      const downs = await watchedReset(control, async () => {
        await exec('systemctl --no-block reboot').catch(passSilence);
      });
      await eventually(
        async () => {
          try {
            return (await bootId()) !== before;
          } catch (error) {
            passSilence(error);
            return false;
          }
        },
        { withinMs: bootWithinMs, everyMs: 1000, what: `${name}'s next boot` },
      );
      return downs;
    },
    async cutPower() {
      const pid = Number(readFileSync(pidFile, 'utf8'));
      process.kill(pid, 'SIGKILL');
      await eventually(() => !existsSync(`/proc/${pid}`), { what: `the end of ${name}` });
    },
    setLink: (isUp) => qmp(control, 'set_link', { name: 'cable', up: isUp }),
  };
}

/** @returns milliseconds from the request to the machine's reset */
async function watchedReset(control: string, request: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await qmp(control, 'qmp_capabilities', {}, { until: 'RESET', first: request, withinMs: bootWithinMs });
  return performance.now() - startMs;
}

/** Ends a machine that may not even have come up. */
export async function removeMachine(dir: string, name: string): Promise<void> {
  const pid = Number(readIfThere(join(dir, `${name}.pid`)));
  if (pid > 0 && readIfThere(`/proc/${pid}/cmdline`).includes(join(dir, name))) process.kill(pid, 'SIGKILL');
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

type PathOf = (file: string) => string;

function commandLine(options: MachineOptions, number: number, path: PathOf): [string, readonly string[]] {
  const { arch, image, release, memoryMiB = 3072 } = options;
  const platform = {
    amd64: { command: 'qemu-system-x86_64', machine: ['-M', 'pc', '-cpu', 'max'], console: 'ttyS0' },
    arm64: {
      command: 'qemu-system-aarch64',
      machine: ['-M', 'virt,gic-version=3', '-cpu', 'max,pauth-impdef=on'],
      console: 'ttyAMA0',
    },
  }[arch];
  const { devices, kernel } = cardsOf(options, number, path);
  const drives = release === undefined ? [] : ['-drive', `file=${release},if=virtio,format=raw,readonly=on`];
  const bootArguments = `root=LABEL=root rw console=${platform.console} quiet mitigations=off machine.name=${options.name}`;
  const args = [
    platform.machine,
    ['-accel', 'tcg,thread=multi,tb-size=1024', '-smp', '2', '-m', String(memoryMiB)],
    ['-nodefaults', '-no-user-config', '-display', 'none', '-pidfile', path('pid')],
    ['-kernel', image.kernel, '-initrd', image.initrd, '-append', [bootArguments, ...kernel].join(' ')],
    ['-drive', `file=${path('disk')},if=virtio,format=qcow2`, ...drives],
    ['-chardev', `file,id=console,path=${path('console')},append=on`, '-serial', 'chardev:console'],
    ['-qmp', `unix:${path('control')},server=on,wait=off`],
    ['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${path('agent')},server=on,wait=off`],
    ['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0', '-device', 'virtio-rng-pci'],
    devices,
  ].flat();
  return [platform.command, args];
}

interface CardPlan {
  readonly mac: string;
  /** `10.77.0.11/24`, or none. */
  readonly address: string;
  readonly gateway: string;
  readonly netdev: string;
}

/** Which cards the machine has, and what they are told on the kernel's command line. @see setup.ts */
function cardsOf({ cards, name }: MachineOptions, number: number, path: PathOf) {
  const other = name === 'm1' ? 'm2' : 'm1';
  const cable = (gateway: string): CardPlan => ({
    mac: `52:54:00:00:00:0${number}`,
    address: `10.77.0.${10 + number}/24`,
    gateway,
    netdev: `dgram,id=cable,local.type=unix,local.path=${path('cable')},remote.type=unix,remote.path=${path('cable').replace(`${name}.cable`, `${other}.cable`)}`,
  });
  // As VirtualBox and QEMU give it to each machine; nothing comes out of it.
  const wayOut: CardPlan = {
    mac: `52:54:00:01:00:0${number}`,
    address: '10.0.2.15/24',
    gateway: '10.0.2.2',
    netdev: 'user,id=out,restrict=on',
  };
  const plans = {
    one: [cable('10.77.0.1')],
    two: [wayOut, cable('')],
    'no-default-route': [cable('')],
    'ipv6-link-local': [cable('10.77.0.1'), { ...wayOut, address: '', gateway: '' }],
  }[cards];
  return {
    devices: plans.flatMap(({ mac, netdev }) => {
      const id = /id=(\w+)/.exec(netdev)?.[1] ?? '';
      return ['-netdev', netdev, '-device', `virtio-net-pci,netdev=${id},id=card-${id},mac=${mac}`];
    }),
    kernel: plans.map(({ mac, address, gateway }) => `machine.card=${mac},${address},${gateway}`),
  };
}
