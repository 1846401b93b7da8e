import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const main = resolve(import.meta.dirname, '../../../src/main.ts');

test('a reader that has had enough is no failure: kagent … | head -1', async () => {
  const child = spawn(process.execPath, [main, 'man', '--markdown'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy(); // long before there is anything to read
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number]>]);
  expect({ code, said }).toEqual({ code: 0, said: '' });
});
