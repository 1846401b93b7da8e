/**
 * Machines by hand: `node test/machines/cli.ts up m1 --suite trixie --network NetworkManager --firewall ufw --cards two`,
 * then `… exec m1 'systemctl status kagent'`, `… reboot m1`, `… cut m1`, `… down`. The drive with releases is made by `… release`.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { imageOf } from './image.ts';
import type { Cards } from './cards.ts';
import { machine, removeMachines } from './machine.ts';
import type { MachineOptions } from './hardware.ts';
import type { ImageOptions } from './image.ts';
import { releaseDrive } from './release.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: 'string', default: 'bookworm' },
    arch: { type: 'string', default: 'amd64' },
    network: { type: 'string', default: 'networkd' },
    firewall: { type: 'string', default: 'none' },
    cards: { type: 'string', default: 'one' },
    kernel: { type: 'string', default: 'user-mode' },
    docker: { type: 'boolean', default: false },
    hardened: { type: 'boolean', default: false },
    dir: { type: 'string', default: '/var/tmp/kagent-machines' },
  },
});
const [command, name, script = ''] = positionals;
const { suite, arch, kernel, network, firewall, cards, docker, hardened, dir } = values;
const drive = resolve(import.meta.dirname, '../../dist/machines', arch, 'release.ext4');

async function chosen() {
  if (name !== 'm1' && name !== 'm2') throw new Error('which machine: m1 or m2?');
  const image = await imageOf({ suite, arch, kernel, network, firewall, docker, hardened } as ImageOptions);
  return machine({
    ...({ name, dir, arch, image, cards: cards as Cards } as MachineOptions),
    release: existsSync(drive) ? drive : undefined,
  });
}

switch (command ?? '') {
  case 'release':
    console.log(await releaseDrive(arch as ImageOptions['arch']));
    break;
  case 'up':
    await (await chosen()).boot();
    break;
  case 'exec': {
    const { code, stdout, stderr } = await (await chosen()).exec(script, { timeoutMs: 580_000 });
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    process.exitCode = code;
    break;
  }
  case 'reboot':
    console.log(`down after ${Math.round(await (await chosen()).reboot())} ms`);
    break;
  case 'cut':
    await (await chosen()).cutPower();
    break;
  case 'down':
    await removeMachines(dir);
    await rm(dir, { recursive: true, force: true });
    break;
  default:
    throw new Error('which command? see the head of this file');
}
