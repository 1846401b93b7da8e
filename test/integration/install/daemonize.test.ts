import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { daemonize, daemonPid, stopDaemon } from '../../../src/host/service/service.ts';
import { writePidFile } from '../../../src/host/service/pid-file.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const standIn = join(import.meta.dirname, '../../fixtures/stand-in/kagent.ts');

function setUp(env: Readonly<Record<string, string>> = {}) {
  const dir = temporaryDir();
  const statuses: string[] = [];
  const options = {
    command: process.execPath,
    args: [standIn, 'server', '--daemonize'],
    env: { ...process.env, KAGENT_STAND_IN_ROOT: dir, ...env },
    logPath: join(dir, 'logs/kagent.log'),
    pidFile: join(dir, 'run/kagent.pid'),
    onStatus: (text: string) => void statuses.push(text),
  };
  onTestFinished(async () => void (await stopDaemon(options.pidFile, 5000)));
  return { options, statuses, never: new AbortController().signal };
}

/** Field 6 of /proc/PID/stat. */
function sessionOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]);
}

test('a daemon is in a session of its own, has told its progress, and writes into the log', async () => {
  const { options, statuses, never } = setUp();
  const pid = await daemonize(options, never);
  expect(sessionOf(pid)).toBe(pid);
  expect(readFileSync(options.pidFile, 'utf8')).toBe(`${pid}\n`);
  expect(statuses).toEqual(['waiting for kube-apiserver', 'the node is Ready']);
  expect(readFileSync(options.logPath, 'utf8')).toContain('serving as server --daemonize');
  expect(existsSync(`/proc/${pid}/fd/3`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toBe('');
  await expect(daemonize(options, never)).rejects.toThrow(`kagent runs already (pid ${pid})`);
  expect(await stopDaemon(options.pidFile, 5000)).toBe(true);
  expect(existsSync(`/proc/${pid}/environ`) && daemonPid(options.pidFile)).toBeFalsy();
  expect(existsSync(options.pidFile)).toBe(false);
  expect(await stopDaemon(options.pidFile, 5000)).toBe(false);
});

test('a daemon that cannot start ends with its own sentence', async () => {
  const sentence = "port 6443 is taken by 'nginx' (pid 7);\n  stop it first";
  const { options, never } = setUp({ KAGENT_STAND_IN_FAILS: sentence });
  await expect(daemonize(options, never)).rejects.toThrow(sentence);
});

test('a daemon that dies without a word is reported with how it died and its last lines', async () => {
  const { options, never } = setUp();
  const dying = { ...options, args: ['-e', 'console.error("about to die"); process.kill(process.pid, "SIGKILL")'] };
  await expect(daemonize(dying, never)).rejects.toThrow(/ended \(signal SIGKILL\) before it was ready[^]*about to die/);
});

test('giving up the wait ends the daemon too', async () => {
  const { options } = setUp();
  const waiting = { ...options, args: ['-e', 'setInterval(() => {}, 1000)'] };
  const asked = new AbortController();
  const started = daemonize(waiting, asked.signal);
  const pid = await eventually(() => daemonPid(options.pidFile));
  asked.abort(new Error('interrupted'));
  await expect(started).rejects.toThrow('interrupted');
  await eventually(() => daemonPid(options.pidFile) !== pid);
});

test('a pid file whose process is somebody else is no daemon', async () => {
  const { options } = setUp();
  writePidFile(options.pidFile, process.pid);
  expect(daemonPid(options.pidFile)).toBeUndefined();
  expect(await stopDaemon(options.pidFile, 100)).toBe(false);
});
