import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A program of test/fixtures/attackers, a process of its own until the test's end. Resolves when it has said that it is at work. */
export async function attacker(name: string, ...args: readonly string[]): Promise<ChildProcess> {
  const script = join(import.meta.dirname, '../fixtures/attackers', `${name}.ts`);
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

/** `127.0.0.2` and those after it, all of them this machine. */
export function loopbacks(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `127.0.${1 + (index >> 7)}.${2 + (index & 127)}`);
}
