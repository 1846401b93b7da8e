import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ProcessSpec } from '../../../../src/host/process/process.ts';
import { startTimeOf } from '../../../../src/host/process/children.ts';
import { supervisorOfScripts } from '../../../helpers/supervisor.ts';
import { eventually } from '../../../helpers/wait.ts';

const program = resolve(import.meta.dirname, '../../../fixtures/bin/parts.ts');
const shared = { name: 'pair', parts: ['left', 'right'] };

type What = 'run' | 'fail' | 'crash' | 'exit' | 'leave';

function pair(options: Parameters<typeof supervisorOfScripts>[0] = {}) {
  const host = supervisorOfScripts(options);
  const { dir, supervisor, shell, never } = host;
  const executable = join(dir, 'pair');
  writeFileSync(executable, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(executable, 0o700);
  writeFileSync(join(dir, 'alone'), '#!/bin/sh\ntouch "$DIR/$NAME.ready"; while :; do sleep 0.05; done\n');
  chmodSync(join(dir, 'alone'), 0o700);
  const ready = (name: string) => join(dir, `${name}.ready`);
  const part = (name: string, what: What, spec: Partial<ProcessSpec> = {}): ProcessSpec => ({
    ...shell(''),
    command: join(dir, 'alone'),
    args: [what],
    partOf: { process: shared, after: [] },
    env: { PATH: '/usr/bin:/bin', DIR: dir, NAME: name },
    prepare: () => rmSync(ready(name), { force: true }),
    ready: async () => {
      if (!existsSync(ready(name))) throw new Error('it has not begun');
    },
    ...spec,
  });
  const supervise = async (name: string, what: What, spec: Partial<ProcessSpec> = {}) => {
    const child = await supervisor.supervise(name, part(name, what, spec), never);
    onTestFinished(() => child.stop());
    return child;
  };
  return {
    ...host,
    supervise,
    go: (name: string) => writeFileSync(join(dir, `${name}.go`), ''),
    logOf: (name: string) => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8'),
    events: () => host.events.recent(20).map(({ reason, regarding, message }) => ({ reason, regarding, message })),
  };
}

const statuses = (...children: readonly { readonly status: () => object }[]) => children.map((one) => one.status());
/** Resolves when each is ready in another process than this. */
async function replaced(
  pid: number | undefined,
  ...children: Awaited<ReturnType<ReturnType<typeof pair>['supervise']>>[]
) {
  await eventually(() => children.every((child) => child.status().state === 'ready' && child.status().pid !== pid), {
    withinMs: 10_000,
    what: 'another process',
  });
}

test('parts are one process on record, in one cgroup, each with a log of its own', async () => {
  const asked: string[] = [];
  const { supervise, logOf, dir } = pair({ cgroupsFor: (name) => (asked.push(name), []) });
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'run');
  expect(right.status().pid).toBe(left.status().pid);
  expect(asked).toEqual(['pair']);
  expect(JSON.parse(readFileSync(join(dir, 'children.json'), 'utf8'))).toMatchObject([{ name: 'pair' }]);
  await eventually(() => logOf('left') === 'left starts: run\n');
  await eventually(() => logOf('right') === 'right starts: run\n');
  await eventually(() => logOf('pair') === 'a line of the process\n');
});

test('a process that is killed comes back with all its parts; one event tells of it', async () => {
  const { supervise, events } = pair();
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'run');
  const { pid = 0 } = left.status();
  process.kill(pid, 'SIGKILL');
  await replaced(pid, left, right);
  expect(right.status().pid).toBe(left.status().pid);
  expect(statuses(left, right)).toMatchObject([{ restarts: 1 }, { restarts: 1 }]);
  expect(left.status().lastExit).toBe('pair ended (signal SIGKILL: a line of the process)');
  expect(events().filter(({ reason }) => reason === 'Ended')).toEqual([
    { reason: 'Ended', regarding: 'pair', message: expect.stringContaining('pair ended (signal SIGKILL') as string },
  ]);
});

test.each([
  ['fails', 'fail', 'the port is taken'],
  ['crashes', 'crash', 'panic: no such thing'],
  ['complains and exits', 'leave', 'exit code 1'],
] as const)(
  'a part that %s is named with its reason, and the others say with whom they ended',
  async (_, what, reason) => {
    const { supervise, events, go } = pair();
    const left = await supervise('left', 'run');
    const right = await supervise('right', what);
    const { pid } = left.status();
    go('right');
    await replaced(pid, left, right);
    expect(right.status().lastExit).toContain(reason);
    expect(left.status().lastExit).toBe(`pair ended with right (${reason})`);
    const ended = events().filter((event) => event.reason === 'Ended');
    expect(ended.map(({ regarding }) => regarding)).toEqual(['right']);
    expect(ended[0]?.message).toMatch(/^right ended \(.*\); pair starts again in 10 ms$/);
  },
);

test('in each new process a part starts when those that it comes after are ready', async () => {
  const { supervise } = pair();
  let leftIsReady = true;
  const left = await supervise('left', 'run', {
    ready: async () => {
      if (!leftIsReady) throw new Error('not yet');
    },
  });
  const right = await supervise('right', 'run', { partOf: { process: shared, after: ['left'] } });
  const { pid = 0 } = left.status();
  leftIsReady = false;
  process.kill(pid, 'SIGKILL');
  await eventually(
    () => left.status().state === 'starting' && left.status().pid !== pid && left.status().pid !== undefined,
  );
  await eventually(() => right.status().condition.message === 'it starts when left is ready');
  expect(right.status().pid).toBeUndefined();
  leftIsReady = true;
  await replaced(pid, left, right);
});

test('a restart of one part takes the others along, at once and without an event; two at a time are one', async () => {
  const { supervise, supervisor, events } = pair();
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'run');
  const { pid } = left.status();
  await Promise.all([supervisor.restart('left'), supervisor.restart('right')]);
  await replaced(pid, left, right);
  expect(statuses(left, right)).toMatchObject([{ restarts: 1 }, { restarts: 1 }]);
  expect(events().map(({ reason }) => reason)).toEqual(['Restarted', 'Restarted']);
});

test('a part that is stopped leaves the others alone; the last one takes the process with it', async () => {
  const { supervise, logOf } = pair();
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'run');
  const { pid = 0 } = left.status();
  await right.stop();
  expect(logOf('right')).toContain('stopping');
  expect(left.status()).toMatchObject({ state: 'ready', pid });
  await left.stop();
  expect(startTimeOf(pid)).toBeUndefined();
});

test('a part that starts again after a stop does so in a new process, with the others', async () => {
  const { supervise } = pair();
  const left = await supervise('left', 'run');
  const first = await supervise('right', 'run');
  const { pid } = left.status();
  await first.stop();
  const right = await supervise('right', 'run');
  await replaced(pid, left, right);
  expect(left.status()).toMatchObject({ restarts: 1, pid: right.status().pid });
});

test('a part that ends its process twice in ten minutes is a process of its own from then on', async () => {
  const { supervise, events, go } = pair();
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'fail');
  for (const _ of [1, 2]) {
    const { pid } = left.status();
    go('right');
    await replaced(pid, left, right);
  }
  expect(right.status().pid).not.toBe(left.status().pid);
  expect(events().filter(({ reason }) => reason === 'Separated')).toMatchObject([{ regarding: 'right' }]);
});

test('a part that cannot start leaves the others running in the end', async () => {
  const { supervise } = pair();
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'exit'); // the third attempt is a process of its own, which starts
  await eventually(() => left.status().state === 'ready');
  expect(left.status().restarts).toBe(2);
  expect(right.status().pid).not.toBe(left.status().pid);
});

test('of a process that hangs one part is told, and all are replaced', async () => {
  const liveness = { everyMs: 10, withinMs: 30, patienceMs: 60, starvedPatienceMs: 60 };
  const { supervise, events } = pair({ liveness });
  const left = await supervise('left', 'run');
  const right = await supervise('right', 'run');
  const { pid = 0 } = left.status();
  process.kill(pid, 'SIGSTOP');
  await replaced(pid, left, right);
  const ended = events().filter(({ reason }) => reason === 'Ended');
  expect(ended).toHaveLength(1);
  expect(ended[0]?.message).toMatch(/^(left|right) ended \(kagent has ended it: a signal has stopped it \(SIGSTOP\)/);
});
