/**
 * A machine whose kernel is a process of this one: user-mode Linux. Its programs run on the real processor, one at a time, so
 * that it is nearly as quick as a real machine where nothing can be virtualised.
 * @see Linux Documentation/virt/uml/user_mode_linux_howto_v2.rst
 */
import { execFile, spawn } from 'node:child_process';
import { constants, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../helpers/wait.ts';
import { bootArguments, cardsOf } from './cards.ts';
import type { MachineName } from './cards.ts';
import type { AgentLine, AgentPort } from './guest-agent.ts';
import { linesOf } from './lines.ts';
import { pidFile } from './hardware.ts';
import type { Hardware, MachineOptions } from './hardware.ts';
import { plugIn } from './user-mode-network.ts';

const run = promisify(execFile);

export function userMode(options: MachineOptions): Hardware {
  const { name, dir } = options;
  const path = (file: string) => join(dir, `${name}.${file}`);
  const console = path('console');
  // Opened for both, neither end of a pipe blocks or ends when the other side goes.
  const openPipe = (file: string) => openSync(path(file), constants.O_RDWR | constants.O_NONBLOCK);
  return {
    console,
    agent: oneAtATime(() => {
      const from = new Socket({ fd: openPipe('from-agent'), readable: true, writable: false });
      const to = new Socket({ fd: openPipe('to-agent'), readable: false, writable: true });
      return {
        lines: linesOf(from),
        write: (text) => to.write(text),
        close: () => {
          from.destroy();
          to.destroy();
        },
      };
    }),
    async switchOn() {
      for (const file of ['from-agent', 'to-agent']) {
        if (!existsSync(path(file))) await run('mkfifo', ['-m', '600', path(file)]);
      }
      await allowMaps();
      const network = await plugIn(options);
      const output = await open(console, 'a');
      const pipes = [await open(path('to-agent'), 'r+'), await open(path('from-agent'), 'r+')];
      const [command = '', ...args] = [
        ...hostOf(network, name),
        options.image.kernel,
        ...kernelArguments(options, path),
      ];
      const child = spawn(command, args, {
        detached: true,
        // Its memory is a file there.
        env: { ...process.env, TMPDIR: '/dev/shm', HOME: dir },
        stdio: ['ignore', output.fd, output.fd, ...pipes.map(({ fd }) => fd)],
      });
      child.unref();
      for (const file of [output, ...pipes]) await file.close();
      await writeFile(pidFile(options), String(child.pid));
    },
    async awaitReset(request, withinMs) {
      const before = statSync(console).size;
      await request();
      const isDown = () => readFileSync(console).subarray(before).includes('reboot: Restarting system');
      await eventually(isDown, { withinMs, everyMs: 50, what: `${name} going down` });
    },
  };
}

/**
 * A page of a program is a mapping of its own: at the kernel's 65530 a program with more than 256 MiB, such as kube-apiserver, ends
 * with SIGSEGV ("UML ran out of memory on the host side"). This is what newer distributions begin with, and it stays.
 */
async function allowMaps(): Promise<void> {
  const setting = '/proc/sys/vm/max_map_count';
  if (Number(readFileSync(setting, 'utf8')) < 1_048_576) await writeFile(setting, '1048576');
}

/** Its end ends everything that the kernel has started here; its network is a namespace of its own. */
function hostOf(network: string, name: MachineName): readonly string[] {
  const onProcessor = ['taskset', '--cpu-list', processorOf(name)];
  return [...onProcessor, 'nsenter', `--net=${network}`, 'unshare', '--pid', '--mount-proc', '--fork', '--kill-child'];
}

/**
 * One, and not the other machine's: kernel and program take turns at each system call, and between two processors, which have to
 * wake each other, they are half as quick.
 */
function processorOf(name: MachineName): string {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const processors = list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  return String((name === 'm1' ? processors.at(-1) : processors[0]) ?? 0);
}

function kernelArguments(options: MachineOptions, path: (file: string) => string): readonly string[] {
  const { name, image, release, memoryMiB = 3072 } = options;
  const cards = cardsOf(name, options.cards);
  return [
    `mem=${memoryMiB}M`,
    `ubd0=${path('disk')},${image.disk}`,
    ...(release === undefined ? [] : [`ubd1r=${release}`]),
    'root=/dev/ubda',
    'rw',
    'quiet',
    // What io_uring shares with a program, user-mode Linux 6.12 maps wrongly, and ends over it ("Bad page map"). 6.1 has no such setting.
    'sysctl.kernel.io_uring_disabled=2',
    'con=null',
    'con0=null,fd:1',
    'ssl=null',
    'ssl1=fd:3,fd:4',
    ...cards.map(({ leads, mac }, index) => `vec${index}:transport=tap,ifname=${name}-${leads},mac=${mac}`),
    ...bootArguments(name, cards),
  ];
}

/** A pipe has no lines of its own for each who asks: the next one waits until the one before has closed. */
function oneAtATime(openLine: () => AgentLine): AgentPort {
  let before: Promise<void> = Promise.resolve();
  return {
    async open() {
      const earlier = before;
      const { promise, resolve } = Promise.withResolvers<void>();
      before = promise;
      await earlier;
      const line = openLine();
      return {
        ...line,
        close() {
          line.close();
          resolve();
        },
      };
    },
  };
}
