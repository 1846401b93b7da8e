/** A machine under QEMU, emulated: any Debian kernel and any architecture, slowly. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../helpers/wait.ts';
import { bootArguments, cardsOf } from './cards.ts';
import type { Card } from './cards.ts';
import { linesOf } from './lines.ts';
import { pidFile } from './hardware.ts';
import type { Hardware, MachineOptions } from './hardware.ts';
import { awaitQemuEvent } from './qmp.ts';

const run = promisify(execFile);

export function qemu(options: MachineOptions): Hardware {
  const { name, dir, image } = options;
  const path = (file: string) => join(dir, `${name}.${file}`);
  return {
    console: path('console'),
    agent: {
      open() {
        const socket = createConnection(path('agent'));
        return Promise.resolve({
          lines: linesOf(socket),
          write: (text) => socket.write(text),
          close: () => socket.destroy(),
        });
      },
    },
    async switchOn() {
      if (!existsSync(path('disk'))) {
        await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image.disk, path('disk')]);
      }
      for (const file of ['agent', 'control', 'cable']) await rm(path(file), { force: true });
      const log = await open(path('qemu'), 'a');
      const [command, args] = commandLine(options, path);
      spawn(command, args, { detached: true, stdio: ['ignore', log.fd, log.fd] }).unref();
      await log.close();
      await eventually(() => existsSync(path('agent')), { what: `QEMU for ${name} (see ${path('qemu')})` });
    },
    awaitReset: (request, withinMs) => awaitQemuEvent(path('control'), 'RESET', request, withinMs),
  };
}

type PathOf = (file: string) => string;

function commandLine(options: MachineOptions, path: PathOf): [string, readonly string[]] {
  const { arch, image, release, memoryMiB = 3072 } = options;
  const platform = {
    amd64: { command: 'qemu-system-x86_64', machine: ['-M', 'pc', '-cpu', 'max'], console: 'ttyS0' },
    arm64: {
      command: 'qemu-system-aarch64',
      machine: ['-M', 'virt,gic-version=3', '-cpu', 'max,pauth-impdef=on'],
      console: 'ttyAMA0',
    },
  }[arch];
  const cards = cardsOf(options.name, options.cards);
  const drives = release === undefined ? [] : ['-drive', `file=${release},if=virtio,format=raw,readonly=on`];
  const append = `root=LABEL=root rw console=${platform.console} quiet mitigations=off`;
  const args = [
    platform.machine,
    ['-accel', 'tcg,thread=multi,tb-size=1024', '-smp', '2', '-m', String(memoryMiB)],
    ['-nodefaults', '-no-user-config', '-display', 'none', '-pidfile', pidFile(options)],
    ['-kernel', image.kernel, '-initrd', image.initrd ?? ''],
    ['-append', [append, ...bootArguments(options.name, cards)].join(' ')],
    ['-drive', `file=${path('disk')},if=virtio,format=qcow2`, ...drives],
    ['-chardev', `file,id=console,path=${path('console')},append=on`, '-serial', 'chardev:console'],
    ['-qmp', `unix:${path('control')},server=on,wait=off`],
    ['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${path('agent')},server=on,wait=off`],
    ['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0', '-device', 'virtio-rng-pci'],
    cards.flatMap((card) => cardDevice(card, options, path)),
  ].flat();
  return [platform.command, args];
}

function cardDevice({ leads, mac }: Card, { name }: MachineOptions, path: PathOf): readonly string[] {
  const other = name === 'm1' ? 'm2' : 'm1';
  const ends = `local.path=${path('cable')},remote.type=unix,remote.path=${path('cable').replace(`${name}.cable`, `${other}.cable`)}`;
  const netdev = { cable: `dgram,id=cable,local.type=unix,${ends}`, out: 'user,id=out,restrict=on' }[leads];
  return ['-netdev', netdev, '-device', `virtio-net-pci,netdev=${leads},mac=${mac}`];
}
