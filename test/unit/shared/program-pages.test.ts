import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cleanMappings, giveUpProgramPages } from '../../../src/shared/program-pages.ts';

const smaps = `00400000-0082e000 r--p 00000000 fe:00 77                           /usr/local/bin/kagent
Size:               4280 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
0082e000-03489000 r-xp 0042e000 fe:00 77                           /usr/local/bin/kagent
Anonymous:             0 kB
072a7000-072dc000 r--p 06ea7000 fe:00 77                           /usr/local/bin/kagent
Anonymous:           212 kB
072dc000-0735a000 rw-p 06edc000 fe:00 77                           /usr/local/bin/kagent
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 78                   /usr/lib/libc.so.6
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                    [vdso]
Anonymous:             0 kB
`;

test('of a program’s file only what nobody can have written to is given up', () => {
  expect(cleanMappings(smaps, '/usr/local/bin/kagent')).toEqual([
    { start: 0x400000n, end: 0x82e000n },
    { start: 0x82e000n, end: 0x3489000n },
  ]);
});

test('a process holds less of its file afterwards, and runs on', async () => {
  const ofFile = () => Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = ofFile();
  await giveUpProgramPages();
  expect(ofFile()).toBeLessThan(before * 0.8);
  expect(JSON.parse('[1]')).toEqual([1]);
});
