/** What plays the part of a machine's hardware: QEMU, or user-mode Linux. */
import { join } from 'node:path';
import type { Cards, MachineName } from './cards.ts';
import type { AgentPort } from './guest-agent.ts';
import type { Arch, Image } from './image.ts';

export interface MachineOptions {
  /** The two are on one cable. */
  readonly name: MachineName;
  /** Of the two machines' sockets and disks. */
  readonly dir: string;
  readonly arch: Arch;
  readonly image: Image;
  readonly cards: Cards;
  /** A file system that is mounted at /mnt/release. */
  readonly release?: string | undefined;
  readonly memoryMiB?: number;
}

export interface Hardware {
  readonly agent: AgentPort;
  /** What is written to the console. */
  readonly console: string;
  /** Returns when the kernel begins; its process is in `pidFile(options)`. */
  switchOn(): Promise<void>;
  /** Returns when the kernel has gone down for a reboot that `request` asks for. */
  awaitReset(request: () => Promise<void>, withinMs: number): Promise<void>;
}

export function pidFile({ dir, name }: Pick<MachineOptions, 'dir' | 'name'>): string {
  return join(dir, `${name}.pid`);
}
