import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { createEventLog } from '../../../../src/shared/events/events.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import type { LogFields } from '../../../../src/shared/log/log.ts';
import { childLogs, childRegistry, createSupervisor, endLeftOvers } from '../../../../src/host/process/process.ts';
import type { ProcessSpec } from '../../../../src/host/process/process.ts';
import { whyNotAsUser } from '../../../../src/host/process/privileges.ts';
import { startTimeOf } from '../../../../src/host/process/children.ts';
import { forever, supervisorOfScripts } from '../../../helpers/supervisor.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const privileges = resolve(import.meta.dirname, '../../../../src/host/process/privileges.ts');

function groupIsGone(pid: number): boolean {
  try {
    return !process.kill(-pid, 0);
  } catch {
    return true;
  }
}

/** What /proc says of a child's rights. */
async function rightsOf(securityContext?: ProcessSpec['securityContext']) {
  const { supervisor, shell, never } = supervisorOfScripts();
  const script = shell('while :; do sleep 0.05; done', { ready: async () => {} });
  const child = await supervisor.supervise('rights', { ...script, ...(securityContext && { securityContext }) }, never);
  const status = () => readFileSync(`/proc/${child.status().pid}/status`, 'utf8');
  await eventually(
    () =>
      /^Name:\s+sh$/m.test(status()) &&
      readFileSync(`/proc/${child.status().pid}/cmdline`, 'utf8').startsWith('/bin/sh\0-c\0while'),
  );
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status())?.[1];
  const rights = {
    uid: field('Uid'),
    gid: field('Gid'),
    groups: /^Groups:[ \t]*(.*?)[ \t]*$/m.exec(status())?.[1],
    bounding: field('CapBnd'),
    effective: field('CapEff'),
    noNewPrivs: field('NoNewPrivs'),
  };
  await child.stop();
  return rights;
}

test('a child gains nothing by the mode of what it starts, unless it starts containers', async () => {
  expect(await rightsOf()).toMatchObject({ uid: '0', noNewPrivs: '1' });
  expect(await rightsOf({ allowPrivilegeEscalation: true })).toMatchObject({ uid: '0', noNewPrivs: '0' });
});

test('a child that is another user has no groups and capabilities but those it was given', async () => {
  const runAsUser = 2_109_345_001;
  const none = '0000000000000000';
  expect(await rightsOf({ runAsUser, allowPrivilegeEscalation: false })).toEqual({
    uid: String(runAsUser),
    gid: String(runAsUser),
    groups: '',
    bounding: none,
    effective: none,
    noNewPrivs: '1',
  });
  const lowPorts = { runAsUser, addCapabilities: ['net_bind_service'], allowPrivilegeEscalation: false };
  expect(await rightsOf(lowPorts)).toMatchObject({ bounding: '0000000000000400', effective: '0000000000000400' });
});

test('a child that is another user is found from its own folder, whoever may enter the folders above', async () => {
  const { dir, supervisor, shell, never } = supervisorOfScripts();
  mkdirSync(join(dir, 'bin'), { mode: 0o755 });
  writeFileSync(join(dir, 'bin', 'program'), '#!/bin/sh\nid -u; while :; do sleep 0.05; done\n', { mode: 0o755 });
  chmodSync(dir, 0o700);
  const spec = shell('', { command: './program', args: [], cwd: join(dir, 'bin') });
  const child = await supervisor.supervise(
    'program',
    {
      ...spec,
      securityContext: { runAsUser: 2_109_345_001, allowPrivilegeEscalation: false },
      ready: async () => expect(readFileSync(join(dir, 'logs', 'program.log'), 'utf8')).toContain('2109345001'),
    },
    never,
  );
  expect(child.status().state).toBe('ready');
  await child.stop();
});

test('whether a child can be another user is tried: in a user namespace that has not that number it cannot', () => {
  const context = { runAsUser: 2_109_345_001, allowPrivilegeEscalation: false };
  expect(whyNotAsUser(context)).toBeUndefined();
  const program = `import { whyNotAsUser } from '${privileges}'; console.log(whyNotAsUser(${JSON.stringify(context)}))`;
  const unshare = ['--user', '--map-root-user', process.execPath, '--input-type=module', '-e', program];
  expect(execFileSync('unshare', unshare, { encoding: 'utf8' })).toMatch(/^a child cannot be another user here: /);
});

test('a child is supervised once it is ready, and stop leaves nothing of its group', async () => {
  const { supervisor, shell, never } = supervisorOfScripts();
  const child = await supervisor.supervise('steady', shell(`sleep 1000 & ${forever}`), never);
  const { pid, state } = child.status();
  expect(state).toBe('ready');
  await child.stop();
  expect(child.status().state).toBe('stopped');
  await eventually(() => groupIsGone(pid ?? 0));
});

test('a child that is killed comes back, and the event and the count say so', async () => {
  const { supervisor, shell, events, never } = supervisorOfScripts();
  const child = await supervisor.supervise('steady', shell(forever), never);
  onTestFinished(() => child.stop());
  const first = child.status().pid ?? 0;
  process.kill(first, 'SIGKILL');
  await eventually(() => child.status().state === 'ready' && child.status().pid !== first);
  expect(child.status().restarts).toBe(1);
  expect(child.status().lastExit).toBe('signal SIGKILL');
  expect(events.recent(10).map((event) => event.reason)).toEqual(['Ended', 'Restarted']);
});

test('a child that is never ready is an error with its last lines', async () => {
  const { supervisor, shell, never } = supervisorOfScripts();
  const start = supervisor.supervise('broken', shell('echo "flag --x is unknown" >&2; exit 3'), never);
  await expect(start).rejects.toThrow(/broken did not become ready \(exit code 3\)[^]*flag --x is unknown/);
});

test('a child that ignores SIGTERM is killed after its time', async () => {
  const { supervisor, shell, never } = supervisorOfScripts();
  const child = await supervisor.supervise('deaf', shell(`trap "" TERM; ${forever}`), never);
  const pid = child.status().pid ?? 0;
  await child.stop();
  expect(startTimeOf(pid)).toBeUndefined();
});

test('restart takes a new process at once, without back-off', async () => {
  const { supervisor, shell, events, never } = supervisorOfScripts();
  const child = await supervisor.supervise('steady', shell(forever), never);
  onTestFinished(() => child.stop());
  const first = child.status().pid;
  await child.restart();
  await eventually(() => child.status().state === 'ready' && child.status().pid !== first);
  expect(events.recent(10).map((event) => event.reason)).not.toContain('Ended');
});

test('cancelling a start ends the child that was not ready yet', async () => {
  const { dir, supervisor, shell } = supervisorOfScripts();
  const cancel = new AbortController();
  const start = supervisor.supervise('slow', shell('echo $$ >$DIR/pid; exec sleep 1000'), cancel.signal);
  const pid = Number(
    await eventually(() => existsSync(join(dir, 'pid')) && readFileSync(join(dir, 'pid'), 'utf8').trim()),
  );
  cancel.abort();
  await expect(start).rejects.toThrow('aborted');
  await eventually(() => startTimeOf(pid) === undefined);
});

test('each line of a child is in its own file, and a full file makes room', async () => {
  const { dir, supervisor, shell, never } = supervisorOfScripts();
  const many =
    'i=0; while [ $i -lt 3000 ]; do echo "line $i of a child that talks a lot, more than fits"; i=$((i+1)); done;';
  const child = await supervisor.supervise('talker', shell(`${many} ${forever}`), never);
  onTestFinished(() => child.stop());
  await eventually(() => readFileSync(join(dir, 'logs/talker.log'), 'utf8').includes('line 2999'));
  expect(existsSync(join(dir, 'logs/talker.log.1'))).toBe(true);
});

test('a child runs whether or not its log and the record of it can be written; what cannot is told once', async () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'logs/odd.log'), { recursive: true });
  mkdirSync(join(dir, 'children.json'));
  const told: string[] = [];
  const log = { ...silentLog, warn: (_: string, fields?: LogFields) => told.push(String(fields?.['path'])) };
  const supervisor = createSupervisor({
    log: silentLog,
    events: createEventLog({ keep: 10 }),
    logs: childLogs(join(dir, 'logs'), { maxBytes: 1000, onProblem: (path) => told.push(path) }),
    registry: childRegistry(join(dir, 'children.json'), log),
    cgroupsFor: () => [],
  });
  const { shell, never } = supervisorOfScripts();
  const endless = { ...shell('while :; do echo line; sleep 0.01; done'), ready: async () => {} };
  const child = await supervisor.supervise('odd', endless, never);
  onTestFinished(() => child.stop());
  process.kill(supervisor.processes()[0]?.pid ?? 0, 'SIGKILL');
  await eventually(() => supervisor.processes()[0]?.restarts === 1 && supervisor.processes()[0]?.state === 'ready');
  expect(told.filter((path) => path.endsWith('odd.log'))).toHaveLength(1);
  expect(told).toContain(join(dir, 'children.json'));
});

test('a log that cannot be put aside loses its old lines and keeps the new ones', () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'a.log.1'));
  const told: unknown[] = [];
  const logs = childLogs(dir, { maxBytes: 20, onProblem: (_, error) => told.push(error) });
  for (let number = 0; number < 10; number += 1) logs.open('a').line(`line ${number}`);
  logs.close();
  expect(readFileSync(join(dir, 'a.log'), 'utf8')).toContain('line 9\n');
  expect(told.length).toBeGreaterThan(0);
});

test('a start ends the child that a dead kagent left, and leaves a stranger with a recycled pid alone', async () => {
  const { dir } = supervisorOfScripts();
  const path = join(dir, 'children.json');
  const left = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' });
  const stranger = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' });
  onTestFinished(() => void stranger.kill('SIGKILL'));
  const registry = childRegistry(path, silentLog);
  registry.add('left', left.pid ?? 0);
  registry.add('stranger', stranger.pid ?? 0);
  const record = JSON.parse(readFileSync(path, 'utf8')) as { name: string; startTime: string }[];
  writeFileSync(
    path,
    JSON.stringify(record.map((one) => (one.name === 'stranger' ? { ...one, startTime: '1' } : one))),
  );
  const gone = once(left, 'exit');
  expect(await endLeftOvers(path, silentLog)).toEqual(['left']);
  await gone;
  expect(stranger.exitCode).toBeNull();
  expect(startTimeOf(stranger.pid ?? 0)).toBeDefined();
});

test('children die with a supervisor that is killed', async () => {
  const { dir } = supervisorOfScripts();
  const parent = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../../fixtures/bin/supervising-parent.ts'), dir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [output] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(output.toString().trim());
  expect(startTimeOf(pid)).toBeDefined();
  parent.kill('SIGKILL');
  await eventually(() => startTimeOf(pid) === undefined);
});
