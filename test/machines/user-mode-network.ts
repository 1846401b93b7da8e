/** What the cards of user-mode machines are plugged into: a network namespace for the two of them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { cardsOf } from './cards.ts';
import type { MachineOptions } from './hardware.ts';

const run = promisify(execFile);

function nameOf(dir: string): string {
  return basename(dir);
}

/** A bridge is the cable; what leads out ends at an address that answers, and goes no further. @returns the namespace's file */
export async function plugIn({ dir, name, cards }: MachineOptions): Promise<string> {
  const network = `/run/netns/${nameOf(dir)}`;
  const ip = (...args: readonly string[]) => run('ip', ['-n', nameOf(dir), ...args]);
  if (!existsSync(network)) {
    await run('ip', ['netns', 'add', nameOf(dir)]);
    await ip('link', 'add', 'cable', 'type', 'bridge');
    await ip('link', 'set', 'cable', 'up');
  }
  for (const { leads } of cardsOf(name, cards)) {
    const device = `${name}-${leads}`;
    await ip('link', 'show', device).catch(async () => {
      await ip('tuntap', 'add', device, 'mode', 'tap');
      await (leads === 'cable'
        ? ip('link', 'set', device, 'master', 'cable')
        : ip('address', 'add', '10.0.2.2/24', 'dev', device));
      await ip('link', 'set', device, 'up');
    });
  }
  return network;
}

/** After both machines. */
export async function unplug(dir: string): Promise<void> {
  if (existsSync(`/run/netns/${nameOf(dir)}`)) await run('ip', ['netns', 'delete', nameOf(dir)]);
}
