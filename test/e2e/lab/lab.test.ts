/** `kagent lab` as a person uses it: up, look, cut a host's power, down, and nothing is left. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LabStatus } from '../../../src/lab/ls.ts';
import { executable } from '../../helpers/cluster.ts';
import type { CommandResult } from '../../helpers/lab.ts';
import { eventually } from '../../helpers/wait.ts';

const name = `t${process.pid.toString(36)}`;
const second = `${name}-b`;
const labs = '/var/lib/kagent-lab';

function kagentLab(word: string, lab: string, ...args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    execFile(executable, ['lab', word, '--name', lab, ...args], { timeout: 240_000 }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else reject(error);
    });
  });
}

async function must(word: string, lab: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await kagentLab(word, lab, ...args);
  if (code !== 0) throw new Error(`kagent lab ${word} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

function ls(): Promise<readonly LabStatus[]> {
  return new Promise((resolve, reject) => {
    execFile(executable, ['lab', 'ls', '-o', 'json'], (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as readonly LabStatus[]);
      else reject(error);
    });
  });
}

async function hosts(lab: string): Promise<readonly string[]> {
  const found = (await ls()).find((candidate) => candidate.name === lab);
  return (found?.hosts ?? []).map((host) => `${host.name} ${host.state} ${host.node}`);
}

/** Everything of this box that a lab could leave something in; of other labs' things, nothing. */
function traces() {
  const ours = (entry: string) => entry.includes(`kagent-${name}`);
  const list = (dir: string) => (existsSync(dir) ? readdirSync(dir) : []);
  const cgroups = '/sys/fs/cgroup';
  const text = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return ''; // a process that has ended, or a file among folders
    }
  };
  return {
    namespaces: list('/run/netns').filter(ours),
    links: list('/sys/class/net').toSorted(),
    cgroups: ['.', ...list(cgroups)].flatMap((dir) => {
      const path = join(cgroups, dir);
      return existsSync(join(path, 'cgroup.procs')) ? readdirSync(path).filter(ours) : [];
    }),
    // /run/netns itself is mounted by the first `ip netns add` of the box, and stays.
    mounts: text('/proc/self/mounts')
      .split('\n')
      .filter((line) => !line.includes(' /run/netns') || ours(line)),
    // One without a command line has ended, and waits for the box's first process to take note.
    processes: list('/proc').filter(
      (pid) => /^\d+$/.test(pid) && ours(text(`/proc/${pid}/cgroup`)) && text(`/proc/${pid}/cmdline`) !== '',
    ),
    disk: list(labs).filter((entry) => entry.startsWith(name)),
  };
}

let before: ReturnType<typeof traces>;

beforeAll(() => {
  before = traces();
});
afterAll(async () => {
  for (const lab of [name, second]) await kagentLab('down', lab);
});

test('up ends when three nodes are Ready, and says what to type next', async () => {
  const said = await must('up', name, '--agents', '2', '--', '--node-label', 'from=lab');
  expect(said).toMatch(/^s1 +is Ready after .*^a[12] +is Ready after .*^a[12] +is Ready after .*^What next:$/ms);
  expect(said).toContain(`kagent lab exec --name ${name} s1 -- kubectl get nodes`);
  expect(await hosts(name)).toEqual(['s1 on Ready', 'a1 on Ready', 'a2 on Ready']);
  const { namespaces, cgroups, processes } = traces();
  expect(namespaces).toHaveLength(4); // three hosts and the switch
  expect(cgroups.length).toBeGreaterThanOrEqual(3);
  expect(processes.length).toBeGreaterThan(20);
});

test('a second up of this name is refused, and leaves the first as it is', async () => {
  const { code, stderr } = await kagentLab('up', name);
  expect(code).toBe(1);
  expect(stderr).toContain(`kagent lab down --name ${name}`);
  expect(await hosts(name)).toHaveLength(3);
});

test("exec gives a command's output and exit code; kubectl is on every host's PATH", async () => {
  expect(await must('exec', name, 's1', '--', 'kubectl', 'get', 'nodes', '-l', 'from=lab', '-o', 'name')).toBe(
    'node/s1\n',
  );
  expect((await must('exec', name, 'a1', '--', 'hostname')).trim()).toBe('a1');
  expect(await must('exec', name, 'a1', '--', 'cat', '/var/log/kagent.log')).toContain('component ready');
  expect((await kagentLab('exec', name, 'a1', '--', 'sh', '-c', 'exit 7')).code).toBe(7);
  expect((await kagentLab('exec', name, 'a1', '--', 'no-such-command')).code).toBe(127);
});

test('a host whose power is cut comes back with its disk, and its node is Ready again', async () => {
  await must('exec', name, 'a1', '--', 'touch', '/var/lib/kagent/kept');
  await must('off', name, 'a1');
  expect((await hosts(name))[1]).toMatch(/^a1 off /);
  const { code, stderr } = await kagentLab('exec', name, 'a1', '--', 'true');
  expect({ code, stderr }).toEqual({ code: 1, stderr: `kagent: a1 is off; first: kagent lab on --name ${name} a1\n` });
  await must('on', name, 'a1');
  expect((await hosts(name))[1]).toBe('a1 on Ready');
  await must('exec', name, 'a1', '--', 'test', '-e', '/var/lib/kagent/kept');
});

test('a host hangs and continues, loses its cable and has it again', async () => {
  for (const [there, state, back] of [
    ['freeze', 'frozen', 'thaw'],
    ['unplug', 'unplugged', 'plug'],
  ] as const) {
    await must(there, name, 'a2');
    expect((await hosts(name))[2]).toContain(`a2 ${state}`);
    await must(back, name, 'a2');
    expect((await hosts(name))[2]).toContain('a2 on');
  }
});

test('an up that is killed beside it leaves what down takes away; the first lab has not noticed', async () => {
  const up = spawn(executable, ['lab', 'up', '--name', second, '--agents', '1'], { stdio: 'ignore' });
  await eventually(async () => (await hosts(second))[0]?.startsWith('s1 on'), { withinMs: 60_000, what: 's1' });
  up.kill('SIGKILL');
  await once(up, 'close');
  await must('down', second);
  expect(await hosts(second)).toEqual([]);
  expect(await hosts(name)).toEqual(['s1 on Ready', 'a1 on Ready', 'a2 on Ready']);
});

test('an up whose server does not start says why and leaves nothing', async () => {
  const { code, stderr } = await kagentLab('up', second, '--agents', '1', '--', '--cluster-cidr', '10.77.0.0/16');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^kagent: s1: cluster-cidr 10\.77\.0\.0\/16 holds this node's own address/);
  expect(await hosts(second)).toEqual([]);
});

test('down leaves no trace, also of a frozen host, and can be said twice', async () => {
  await must('freeze', name, 'a2');
  await must('down', name);
  expect(traces()).toEqual(before);
  expect(await must('down', name)).toContain('nothing to remove');
});
