import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished, expect, test } from 'vitest';
import { untilHung } from '../../../../src/host/process/liveness.ts';
import type { Said } from '../../../../src/host/process/liveness.ts';
import { Patience } from '../../../../src/host/process/patience.ts';
import { processStat } from '../../../../src/host/process/process.ts';
import type { ProcessSpec } from '../../../../src/host/process/process.ts';
import { starvationOf, wasStarved } from '../../../../src/host/process/starvation.ts';
import { startTimeOf } from '../../../../src/host/process/children.ts';
import { fakeClock, skewedClock } from '../../../helpers/clock.ts';
import { forever, supervisorOfScripts } from '../../../helpers/supervisor.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const timing = { everyMs: 50, withinMs: 200, patienceMs: 600, starvedPatienceMs: 60_000 };

async function supervised(script: string, spec: Partial<ProcessSpec> = {}, liveness = timing) {
  const { dir, events, supervisor, shell, never } = supervisorOfScripts({ liveness });
  const prepare = () => rmSync(join(dir, 'ready'), { force: true });
  const child = await supervisor.supervise('child', shell(script, { prepare, ...spec }), never);
  onTestFinished(() => child.stop());
  const reasons = () => events.recent(20).map(({ reason }) => reason);
  return { child, dir, events, reasons };
}

test('a child that a signal has stopped is not ready, says so, and is replaced', async () => {
  const { child, reasons, events } = await supervised(forever);
  const pid = child.status().pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  const { condition } = await eventually(() => child.status().state === 'not-answering' && child.status());
  expect(condition).toMatchObject({
    status: 'False',
    reason: 'NotAnswering',
    message: expect.stringContaining('SIGSTOP') as string,
  });
  await eventually(() => child.status().state === 'ready' && child.status().pid !== pid);
  expect(startTimeOf(pid)).toBeUndefined();
  expect(child.status().condition).toMatchObject({ status: 'True', reason: 'Ready' });
  expect(child.status().lastExit).toMatch(/^kagent has ended it: a signal has stopped it \(SIGSTOP\), for \d+ s$/);
  expect(reasons()).toEqual(['NotAnswering', 'Ended', 'Restarted']);
  expect(events.recent(1)[0]?.regarding).toBe('child');
});

test('a child that runs again before its time is over is left alone', async () => {
  const { child, reasons } = await supervised(forever, {}, { ...timing, patienceMs: 8000 });
  const pid = child.status().pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  await eventually(() => child.status().state === 'not-answering');
  process.kill(pid, 'SIGCONT');
  await eventually(() => child.status().state === 'ready');
  expect(child.status()).toMatchObject({ pid, restarts: 0 });
  expect(reasons()).toEqual(['NotAnswering', 'Answers']);
});

test('a child that takes a question and never answers is replaced', async () => {
  let isHung = false;
  const { child } = await supervised(forever, {
    live: (signal) =>
      isHung ? new Promise((_resolve, reject) => signal.addEventListener('abort', reject)) : Promise.resolve(),
  });
  const pid = child.status().pid;
  isHung = true;
  await eventually(() => child.status().state === 'not-answering');
  await eventually(() => child.status().pid !== pid && child.status().state === 'ready');
  isHung = false;
  expect(child.status().lastExit).toMatch(/it does not answer, for \d+ s/);
});

test('a child that answers and complains is not ready, and is not restarted', async () => {
  let complaint: string | undefined = 'the datastore is away';
  const { child } = await supervised(forever, {
    live: async () => {
      if (complaint !== undefined) throw new Error(complaint);
    },
  });
  await eventually(() => child.status().state === 'not-ready');
  expect(child.status().condition).toMatchObject({ status: 'False', reason: 'NotReady', message: complaint });
  await delay(2 * timing.patienceMs);
  expect(child.status()).toMatchObject({ state: 'not-ready', restarts: 0 });
  complaint = undefined;
  await eventually(() => child.status().state === 'ready');
});

test('a child that has closed its socket has its time to stop, and is then replaced', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { child } = await supervised(`trap "" TERM; ${forever}`, {
    live: async (signal) => {
      await fetch(`http://127.0.0.1:${port}`, { signal }).catch((error: unknown) => {
        throw error instanceof Error ? error.cause : error;
      });
    },
  });
  server.on('request', (_request, response) => response.end());
  const pid = child.status().pid;
  await delay(3 * timing.everyMs);
  expect(child.status().state).toBe('ready');
  server.closeAllConnections();
  server.close();
  await eventually(() => child.status().state === 'stopping');
  await eventually(() => child.status().pid !== pid);
  expect(child.status().lastExit).toBe('kagent has ended it: it has stopped listening, and did not end within 0.5 s');
});

test('a child that is stopped by a signal before it is ready says so and is replaced too', async () => {
  const { child, dir } = await supervised(`[ -e $DIR/stop ] && { rm $DIR/stop; kill -STOP $$; }; ${forever}`);
  writeFileSync(join(dir, 'stop'), '');
  process.kill(child.status().pid ?? 0, 'SIGKILL');
  const { condition } = await eventually(() => child.status().condition.message.includes('SIGSTOP') && child.status());
  expect(condition).toMatchObject({ status: 'False', reason: 'Starting' });
  await eventually(() => child.status().state === 'ready');
  expect(child.status().restarts).toBe(2);
});

/** What is said of a process whose answers never come, by a clock that may go wrong. */
async function watchedBy(options: { readonly pid?: number; readonly jumpMs: number; readonly forMs: number }) {
  const said: Said[] = [];
  const over = new AbortController();
  let jumpedMs = 0;
  const hung = untilHung(
    {
      pid: options.pid ?? process.pid,
      live: (signal) => {
        jumpedMs += options.jumpMs;
        return new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
      },
      closesWithinMs: 500,
      timing,
      clock: skewedClock({ monotonic: () => jumpedMs }),
      onSaid: (one) => said.push(one),
    },
    over.signal,
  );
  const result = await Promise.race([hung, delay(options.forMs).then(() => 'not hung')]);
  over.abort();
  await hung;
  return { result, said };
}

test('time in which kagent itself did not run is not held against a child', async () => {
  expect((await watchedBy({ jumpMs: 0, forMs: 10_000 })).result).toMatch(/^it does not answer, for \d+ s$/);
  expect(await watchedBy({ jumpMs: 30_000, forMs: 5 * timing.patienceMs })).toEqual({ result: 'not hung', said: [] });
});

test('a kagent that is stopped for a while just after its child, and continues before it, leaves the child alone', async () => {
  const fixture = join(import.meta.dirname, '../../../fixtures/bin/supervising-parent.ts');
  const parent = spawn(process.execPath, [fixture, temporaryDir(), JSON.stringify(timing)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  let said = '';
  parent.stdout.on('data', (bytes) => (said += String(bytes)));
  const pid = Number(await eventually(() => said.trim() !== '' && said.trim()));
  await delay(5 * timing.everyMs);
  process.kill(pid, 'SIGSTOP');
  await delay(2 * timing.everyMs); // it has been noticed
  parent.kill('SIGSTOP');
  await delay(5 * timing.patienceMs);
  parent.kill('SIGCONT');
  await delay(timing.withinMs);
  process.kill(pid, 'SIGCONT');
  await delay(3 * timing.patienceMs);
  expect(said).toBe(`${pid}\n`);
  process.kill(pid, 'SIGSTOP'); // alone
  await eventually(() => said.trim().split('\n').length === 2);
}, 30_000);

test('a process that waits for a processor is told from one that sleeps', async () => {
  const asleep = { before: starvationOf(process.pid), elapsedMs: 300 };
  await delay(asleep.elapsedMs);
  const after = starvationOf(process.pid);
  expect(after?.waitedMs).toBeGreaterThanOrEqual(asleep.before?.waitedMs ?? Infinity);
  const processors = { idle: 0, own: 0, others: 0 };
  const fared = (waitedMs: number, isBlocked = false) => ({ waitedMs, isBlocked, processors });
  expect(wasStarved(fared(0), fared(59), 300)).toBe(false);
  expect(wasStarved(fared(0), fared(60), 300)).toBe(true);
  expect(wasStarved(fared(0, true), fared(0, true), 300)).toBe(true);
  expect(wasStarved(undefined, after, 300)).toBe(false);
});

test.each([undefined, '0 0 0\n'])(
  'where the kernel does not count who waits (schedstat: %j), the processors tell whether others kept a process from running',
  (schedstat) => {
    const proc = temporaryDir();
    mkdirSync(join(proc, '7/task/7'), { recursive: true });
    const after = ({ idle, own, others }: Record<'idle' | 'own' | 'others', number>) => {
      const stat = `7 (a b) S 1 7 7 0 -1 4194560 0 0 0 0 ${own} 0 0 0 20 0 1 0 5 0 0\n`;
      writeFileSync(join(proc, 'stat'), `cpu  ${own + others} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n`);
      for (const path of ['7/stat', '7/task/7/stat']) writeFileSync(join(proc, path), stat);
      if (schedstat !== undefined) writeFileSync(join(proc, '7/task/7/schedstat'), schedstat);
      return starvationOf(7, proc);
    };
    const before = after({ idle: 0, own: 0, others: 0 });
    expect(before?.waitedMs).toBeUndefined();
    expect(wasStarved(before, after({ idle: 1, own: 9, others: 90 }), 500)).toBe(true);
    expect(wasStarved(before, after({ idle: 90, own: 1, others: 9 }), 500)).toBe(false); // it had processors enough
    expect(wasStarved(before, after({ idle: 0, own: 80, others: 20 }), 500)).toBe(false); // it turns in a circle
  },
);

test('a child that the machine keeps from running is given more time, and says so', async () => {
  const busy = Array.from({ length: 2 * availableParallelism() + 1 }, () =>
    spawn('nice', ['-n', '19', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
  );
  onTestFinished(() => busy.forEach((one) => one.kill('SIGKILL')));
  const pid = busy[0]?.pid ?? 0;
  const isStarved = async () => {
    const before = starvationOf(pid);
    await delay(500);
    return wasStarved(before, starvationOf(pid), 500);
  };
  await eventually(isStarved);
  const { result, said } = await watchedBy({ pid, jumpMs: 0, forMs: 5 * timing.patienceMs });
  expect(result).toBe('not hung');
  const given = 'it does not answer; the machine keeps it from running, so it is given more time';
  expect(said.map(({ message }) => message)).toContain(given); // in a moment when it ran the sentence is another
  busy[0]?.kill('SIGSTOP'); // it does not wait for a processor any more
  await eventually(async () => !(await isStarved()));
  expect(processStat(pid)?.state).toBe('T');
});

test('a child that hangs again and again is given more time from the third time on, and an hour later the usual one', () => {
  const clock = fakeClock();
  const patience = new Patience({ ...timing, patienceMs: 15_000, starvedPatienceMs: 100_000 }, clock);
  const given = Array.from({ length: 7 }, () => {
    const { patienceMs } = patience.timing();
    patience.used();
    clock.advance(60_000);
    return patienceMs / 1000;
  });
  expect(given).toEqual([15, 15, 15, 30, 60, 100, 100]);
  clock.advance(60 * 60_000);
  expect(patience.timing().patienceMs).toBe(15_000);
});
