/** A full machine: a kernel of its own, systemd as its first process, cgroup v2 alone. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../helpers/wait.ts';
import { addressOf } from './cards.ts';
import { guestShell, isAwake, passSilence } from './guest-agent.ts';
import type { GuestResult } from './guest-agent.ts';
import { pidFile } from './hardware.ts';
import type { MachineOptions } from './hardware.ts';
import { qemu } from './qemu.ts';
import { userMode } from './user-mode.ts';
import { unplug } from './user-mode-network.ts';

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
}

const commandTimeoutMs = 300_000;
const bootWithinMs = 300_000;

export function machine(options: MachineOptions): Machine {
  const { name, dir } = options;
  const hardware = options.image.initrd === undefined ? userMode(options) : qemu(options);
  const { agent } = hardware;

  const exec: Machine['exec'] = (script, { timeoutMs = commandTimeoutMs } = {}) => guestShell(agent, script, timeoutMs);
  const sh: Machine['sh'] = async (script, settings) => {
    const { code, stdout, stderr } = await exec(script, settings);
    if (code !== 0) throw new Error(`${name}: ${script}\nended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  };
  const bootId = async () => (await sh('cat /proc/sys/kernel/random/boot_id')).trim();

  return {
    name,
    address: addressOf(name),
    console: hardware.console,
    exec,
    sh,
    async boot() {
      await mkdir(dir, { recursive: true });
      await hardware.switchOn();
      await eventually(() => isAwake(agent), { withinMs: bootWithinMs, everyMs: 1000, what: `${name}'s boot` });
    },
    async reboot() {
      const before = await bootId();
      const startMs = performance.now();
      await hardware.awaitReset(async () => {
        await exec('systemctl --no-block reboot').catch(passSilence);
      }, bootWithinMs);
      const downMs = performance.now() - startMs;
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
      return downMs;
    },
    async cutPower() {
      const pid = Number(readFileSync(pidFile(options), 'utf8'));
      process.kill(pid, 'SIGKILL');
      await eventually(() => !existsSync(`/proc/${pid}`), { what: `the end of ${name}` });
    },
  };
}

/** Ends both, which may not even have come up, and takes what they were plugged into away. */
export async function removeMachines(dir: string): Promise<void> {
  for (const name of ['m1', 'm2'] as const) {
    const pid = Number(readIfThere(pidFile({ dir, name })));
    if (pid > 0 && readIfThere(`/proc/${pid}/cmdline`).includes(join(dir, name))) process.kill(pid, 'SIGKILL');
  }
  await unplug(dir);
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
