import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive } from '../../../../src/host/process/process.ts';

test('a process that has ended and one that only waits to be reaped are not alive', async () => {
  // `exec` leaves the shell's child to a parent that never waits for it.
  const parent = spawn('sh', ['-c', 'sh -c "exit 0" & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const zombie = Number(line.toString());
  await expect.poll(() => isAlive(zombie)).toBe(false);
  expect(isAlive(parent.pid ?? 0)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  expect(isAlive(parent.pid ?? 0)).toBe(false);
});
