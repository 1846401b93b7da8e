import { expect, test } from 'vitest';
import { systemCode } from '../../../src/shared/errors.ts';
import { CommandFailedError, run, runToEnd } from '../../../src/host/run.ts';

const shell = (script: string, options?: Parameters<typeof run>[2]) => run('sh', ['-c', script], options);

test('a command gets its input and gives its output, in the environment that is named', async () => {
  expect(await run('cat', [], { input: 'häuser\n' })).toBe('häuser\n');
  expect(await shell('cat; echo "$A ${HOME:-none}"', { env: { PATH: process.env['PATH'], A: 'b' } })).toBe('b none\n');
});

test('one that ends before it has read all its input fails by its code, and by nothing else', async () => {
  const failure = shell('echo no >&2; exit 3', { input: 'x'.repeat(1 << 20) });
  await expect(failure).rejects.toThrow('sh -c echo no >&2; exit 3: no');
});

test('a failure names the command and its last lines, or its code where it wrote none', async () => {
  const failure = await shell('seq 5 >&2; echo out; exit 3').catch((error: unknown) => error as CommandFailedError);
  expect(failure).toBeInstanceOf(CommandFailedError);
  expect(String(failure)).toContain('sh -c seq 5 >&2; echo out; exit 3: 3\n4\n5');
  expect((failure as CommandFailedError).ended).toMatchObject({ code: 3, stdout: 'out\n', stderr: '1\n2\n3\n4\n5\n' });
  await expect(run('false')).rejects.toThrow('false: exit code 1');
});

test('one that is not there has the code of shells and the code of the system', async () => {
  const failure = await run('no-such-program').catch((error: unknown) => error);
  expect(systemCode(failure)).toBe('ENOENT');
  expect((failure as CommandFailedError).ended.code).toBe(127);
  expect(await runToEnd('sh', ['-c', 'kill -9 $$'])).toMatchObject({ code: 137, reason: 'exit code 137' });
});

test('one that does not end is killed, and whoever it started and who holds its output is not waited for', async () => {
  await expect(shell('sleep 60 & wait', { timeoutMs: 100 })).rejects.toThrow(/no end within 0.1 s$/);
});

test('one that writes too much is killed; what it wrote first is kept', async () => {
  const ended = await runToEnd('yes', [], { maxBytes: 10 });
  expect(ended).toMatchObject({ isCut: true, stdout: 'y\ny\ny\ny\ny\n', reason: 'it writes more than 10 bytes' });
  await expect(run('yes', [], { maxBytes: 10 })).rejects.toThrow('yes: it writes more than 10 bytes');
});

test('cancelled, it is told to end and may say a last word; what is cancelled before is not started', async () => {
  const cancelled = new AbortController();
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    cancelled.abort(new Error('not wanted'));
  };
  const script = "trap 'echo bye >&2; exit 4' TERM; echo ready; while :; do sleep 0.01; done";
  const options = { signal: cancelled.signal, onLine };
  expect(await runToEnd('sh', ['-c', script], options)).toMatchObject({ code: 4, stderr: 'bye\n' });
  expect(lines).toEqual(['ready']);
  await expect(shell('exit 0', options)).rejects.toThrow('not wanted');
});
