/** Whose shims are ours: real processes, some in namespaces of their own, that are called as containerd's shims are. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { podProcesses } from '../../../src/agent/runtime/shims.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const untilClosed = 'process.stdin.resume().on("end", () => process.exit())';

/** @param unshare what begins its namespaces @param first a shell's text, run in them before @returns its pid, as seen from here */
async function startShim(id: string, socket: string, unshare: readonly string[] = [], first = ':'): Promise<number> {
  const script = `${first}; exec -a /data/bin/containerd-shim-runc-v2 '${process.execPath}' -e '${untilClosed}' -- "$@"`;
  const args = ['bash', '-c', script, 'bash', '-namespace', 'k8s.io', '-id', id, '-address', socket];
  const [command = '', ...rest] = [...unshare, ...args];
  const child = spawn(command, rest, { stdio: ['pipe', 'inherit', 'inherit'] });
  onTestFinished(async () => {
    const isOver = once(child, 'exit');
    child.stdin.end();
    await isOver;
  });
  return await eventually(() => pidOf(id), { what: `the shim ${id}` });
}

function pidOf(id: string): number | undefined {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids.find((name) => {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return words[0]?.endsWith('containerd-shim-runc-v2') === true && words.includes(id);
    } catch {
      return false; // it has ended meanwhile
    }
  });
  return pid === undefined ? undefined : Number(pid);
}

test('a shim is ours by its socket, in our PID namespace, where its folder is ours: no lab’s and no other container’s', async () => {
  const runDir = join(temporaryDir(), 'containerd');
  mkdirSync(runDir);
  const socket = join(runDir, 'containerd.sock');
  const ours = await startShim('ours', socket);
  const others = [
    await startShim('of-another-containerd', '/run/containerd/containerd.sock'),
    await startShim('of-a-lab', socket, ['unshare', '--pid', '--mount', '--fork', '--kill-child']),
    await startShim('of-a-lab-that-shares-the-folder', socket, ['unshare', '--pid', '--fork', '--kill-child']),
    await startShim('of-a-container', socket, ['unshare', '--mount'], `mount -t tmpfs run '${runDir}'`),
  ];
  const { shims, all } = podProcesses(runDir);
  expect(shims).toEqual([ours]);
  expect(all.filter((pid) => others.includes(pid))).toEqual([]);
});

test('shims whose folder has gone are found all the same, with all that they have started', async () => {
  const socket = join(temporaryDir(), 'containerd/containerd.sock');
  const ours = await startShim('without-a-folder', socket);
  expect(podProcesses(join(socket, '..')).all).toEqual([ours]);
});
