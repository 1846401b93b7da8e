/** Starts that cannot go well: each ends at once, with one sentence that names what is wrong and what to do. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultDataDir, pathsOf } from '../../../src/shared/paths.ts';
import { createBox } from '../../helpers/cluster.ts';
import type { BoxWithLab } from '../../helpers/cluster.ts';
import { podProcessesOf, processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures');
const kagent = '/usr/local/bin/kagent';
const longestMs = 15_000;

let box: BoxWithLab;
beforeAll(async () => {
  box = await createBox('bad-starts');
  const built = join(box.host.dir, 'disk/tmp');
  await promisify(execFile)('gcc', [
    '-shared',
    '-fPIC',
    '-o',
    join(built, 'clock.so'),
    join(fixtures, 'clock/clock.c'),
  ]);
  const env = { ...process.env, CGO_ENABLED: '0' };
  await promisify(execFile)('go', ['build', '-o', join(built, 'listener'), '.'], {
    cwd: join(fixtures, 'webhook'),
    env,
  });
  await box.sh('chmod 755 /tmp');
});
afterAll(() => box?.wipe());

/** Runs a start that must end badly. @returns its one sentence */
async function refusal(exitCode: 1 | 2, ...command: readonly string[]): Promise<string> {
  const from = performance.now();
  const start = box.run(command);
  const code = await start.exited;
  const tookMs = performance.now() - from;
  expect({ code, output: start.output() }).toMatchObject({ code: exitCode });
  expect(tookMs, `it took ${Math.round(tookMs)} ms`).toBeLessThan(longestMs);
  const said = start.output().trim().split('\n');
  expect(said, 'one sentence').toHaveLength(1);
  expect(processesOf(box).filter(({ commandLine }) => commandLine.startsWith(kagent))).toEqual([]);
  return said[0] ?? '';
}
const server = (...flags: readonly string[]) => [kagent, 'server', ...flags];

test('without root it says who it is and how to be root', async () => {
  const said = await refusal(1, 'setpriv', '--reuid=65534', '--clear-groups', ...server());
  expect(said).toMatch(/user 65534 .*needs root.*sudo/);
});

test('a port that is taken is told with the process that has it', async () => {
  const listener = box.run(['/tmp/listener', '-listen', ':6443']);
  await eventually(() => listener.output().includes('END CERTIFICATE'), { what: 'the listener' });
  const [process] = processesOf(box).filter(({ name }) => name === 'listener');
  try {
    const said = await refusal(1, ...server());
    expect(said).toMatch(
      new RegExp(`port 6443 .*kube-apiserver.* taken by listener \\(pid ${process?.pid}\\);.*stop it or`),
    );
  } finally {
    await box.signal(process?.pid ?? 0, 'KILL');
    await listener.exited;
  }
});

test('a data dir that cannot be written is named, with the reason', async () => {
  await box.sh('mkdir /mnt/locked && mount -t tmpfs -o ro none /mnt/locked');
  const said = await refusal(1, ...server('--data-dir', '/mnt/locked/kagent'));
  expect(said).toMatch(/\/mnt\/locked\/kagent cannot be written: its filesystem is read-only; .*--data-dir/);
});

test('a full disk is told with what is free and what is needed', async () => {
  await box.sh('mkdir /mnt/small && mount -t tmpfs -o size=1m none /mnt/small');
  await box.sh('dd if=/dev/zero of=/mnt/small/full bs=1k 2>/dev/null || true');
  const said = await refusal(1, ...server('--data-dir', '/mnt/small/kagent'));
  expect(said).toMatch(/\/mnt\/small\S* has 0 MiB free but kagent needs \d+ MiB; free some space or/);
});

test('a data dir that a newer kagent wrote is left alone', async () => {
  const { version } = pathsOf('/tmp/newer');
  await box.sh(`mkdir -p /tmp/newer && echo '{"version":"99.0.0"}' >${version}`);
  const said = await refusal(1, ...server('--data-dir', '/tmp/newer'));
  expect(said).toMatch(
    /\/tmp\/newer was written by kagent 99\.0\.0, this one is \d\S+; install kagent 99\.0\.0 or newer/,
  );
});

test('an unknown flag fails with the nearest known one', async () => {
  const said = await refusal(2, ...server('--cluster-cidrs', '10.42.0.0/16'));
  expect(said).toMatch(/'--cluster-cidrs'.*did you mean.*--cluster-cidr\b/i);
});

test('a wrong value of a flag is told with the flag, the value and what is allowed', async () => {
  const said = await refusal(2, ...server('--https-listen-port', '99999'));
  expect(said).toMatch(/https-listen-port is "?99999"? \(--https-listen-port\): .*65535/);
});

test('a mistyped key of config.yaml is told with its line and the nearest key', async () => {
  await box.sh(
    "mkdir -p /etc/kagent && printf '# my cluster\\nnode-name: s1\\nclustr-cidr: 10.42.0.0/16\\n' >/etc/kagent/config.yaml",
  );
  try {
    const said = await refusal(2, ...server());
    expect(said).toMatch(/\/etc\/kagent\/config\.yaml line 3: .*'clustr-cidr'; did you mean 'cluster-cidr'\?/);
  } finally {
    await box.sh('rm -r /etc/kagent');
  }
});

test('ranges that overlap or are too small are told with their values', async () => {
  const overlapping = await refusal(1, ...server('--cluster-cidr', '10.42.0.0/16', '--service-cidr', '10.42.128.0/17'));
  expect(overlapping).toMatch(/10\.42\.0\.0\/16 .*10\.42\.128\.0\/17 overlap; give them/);
  const small = await refusal(1, ...server('--cluster-cidr', '10.42.0.0/28'));
  expect(small).toMatch(/cluster-cidr 10\.42\.0\.0\/28 is too small.*make it/);
  const few = await refusal(1, ...server('--service-cidr', '10.43.0.0/30'));
  expect(few).toMatch(/service-cidr 10\.43\.0\.0\/30 is too small.*make it/);
});

test('a clock from before the build is told with both times', async () => {
  const said = await refusal(1, 'env', 'LD_PRELOAD=/tmp/clock.so', ...server());
  expect(said).toMatch(/clock says 2001-01-01T00:00:00\S*, before this kagent was built \(20\d\d-\S+\).*set the clock/);
});

test('a second kagent on the same data dir is told who has it', async () => {
  const first = box.run(server());
  await eventually(async () => (await box.status()).pid, { withinMs: 30_000, what: 'the first kagent' });
  const { pid } = await box.status();
  const from = performance.now();
  const second = await box.kagent(['server']);
  expect(performance.now() - from).toBeLessThan(longestMs);
  expect(second.code).toBe(1);
  expect(second.stderr.trim()).toMatch(
    new RegExp(`^\\S.*another kagent \\(pid ${pid}\\) runs on ${defaultDataDir}; .*stop it first, or[^\n]*$`),
  );
  await box.signal(pid, 'TERM');
  expect(await first.exited).toBe(0); // also while it still starts
  expect(podProcessesOf(box)).toEqual([]);
});
