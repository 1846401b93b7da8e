import { expect, test } from 'vitest';
import { duration, runSteps } from '../../../scripts/build/progress.ts';
import { missingMessage, tools } from '../../../scripts/build/tools.ts';

const step = (name: string, cached: boolean, estimateMs: number) => ({ name, cached, estimateMs, run: async () => {} });

test('without a terminal each step is a line with its number and the time that is left', async () => {
  let text = '';
  const output = { write: (more: string) => (text += more) };
  await runSteps([step('runc', true, 5000), step('kubernetes', false, 240_000), step('cni', false, 60_000)], output);
  expect(text.split('\n')).toEqual([
    '[1/3] runc  unchanged',
    '[2/3] kubernetes  0s, about 5m00s left',
    '[2/3] kubernetes  0s',
    '[3/3] cni  0s, about 1m00s left',
    '[3/3] cni  0s',
    'done in 0s',
    '',
  ]);
});

test('on a terminal the line is written over', async () => {
  let text = '';
  await runSteps([step('runc', false, 5000)], { isTTY: true, write: (more) => (text += more) });
  expect(text).toBe('\r\u001b[K[1/1] runc  0s, about 5s left\r\u001b[K[1/1] runc  0s\ndone in 0s\n');
});

test('missing tools are named together, with the command that installs them', () => {
  expect(missingMessage([tools.cc, tools.libseccomp], 'apt').split('\n').at(-1)).toBe(
    '  apt-get install gcc libc6-dev libseccomp-dev pkg-config',
  );
  expect(missingMessage([tools.go], undefined).split('\n').slice(1)).toEqual([
    'install with one of:',
    '  apt-get install golang',
    '  dnf install golang',
    '  apk add go',
    '  zypper install go',
    '  pacman -S go',
  ]);
});

test('durations read as a person says them', () => {
  expect([400, 59_400, 60_000, 3_605_000].map(duration)).toEqual(['0s', '59s', '1m00s', '60m05s']);
});
