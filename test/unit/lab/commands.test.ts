import { Command } from 'commander';
import { expect, test } from 'vitest';
import { labCommand } from '../../../src/lab/commands.ts';
import type { LabActions } from '../../../src/lab/types.ts';

/** What `kagent lab …` asks for: the action's name and what it is given; or the sentence of wrong usage. */
async function asked(...argv: readonly string[]): Promise<readonly unknown[]> {
  const calls: unknown[] = [];
  const note =
    (name: string) =>
    async (...args: readonly unknown[]) =>
      void calls.push(name, ...args);
  const actions: LabActions = {
    require: (command) => void calls.push(command),
    up: note('up'),
    ls: note('ls'),
    exec: note('exec'),
    down: note('down'),
    on: note('on'),
    change: note('change'),
  };
  const lab = labCommand(actions);
  for (const command of [lab, ...lab.commands]) {
    command.exitOverride().configureOutput({ writeErr: (text) => void calls.push(text.trim()) });
  }
  const kagent = new Command('kagent').enablePositionalOptions().addCommand(lab);
  await kagent.parseAsync(['lab', ...argv], { from: 'user' }).catch(() => {});
  return calls;
}

test('a lab has two agents and the name lab, unless said otherwise', async () => {
  expect(await asked('up')).toEqual(['up', 'up', { name: 'lab', servers: 1, agents: 2, serverFlags: [] }]);
  expect(await asked('up', '--servers', '3', '--agents', '0', '--name', 'b-2', '--data-dir', '/data')).toEqual([
    'up',
    'up',
    { name: 'b-2', servers: 3, agents: 0, dataDir: '/data', serverFlags: [] },
  ]);
});

test("what follows two dashes is the server's", async () => {
  const [, , flags] = await asked('up', '--agents', '1', '--', '--cluster-cidr', '10.50.0.0/16', '--debug');
  expect(flags).toEqual({
    name: 'lab',
    servers: 1,
    agents: 1,
    serverFlags: ['--cluster-cidr', '10.50.0.0/16', '--debug'],
  });
});

test.each([
  [['up', 'mylab'], "'mylab' is no flag for the server; a lab's name follows --name"],
  [['up', '--', '--data-dir=/x'], '--data-dir=/x is set by the lab'],
  [['up', '--servers', '6'], 'It must be a number from 1 to 5; of three, one may be lost.'],
  [['up', '--', '--server', 'https://10.0.0.1:9345'], '--server is set by the lab'],
  [['up', '--agents', 'two'], 'It must be a number from 0 to 20.'],
  [['up', '--agents', '21'], 'It must be a number from 0 to 20.'],
  [['up', '--name', 'My Lab'], 'It must be a lower-case letter'],
  [['up', '--data-dir', '/with space'], 'It must be an absolute path'],
  [['loss', 'a1', '101'], 'It must be a number from 0 to 100.'],
  [['rate', 'a1', 'fast'], "It must be like '10mbit', or 0."],
])('%j is wrong usage, and is told what is right', async (argv, sentence) => {
  const calls = await asked(...argv);
  expect(calls.filter((call) => typeof call !== 'string')).toEqual([]);
  expect(calls.join(' ')).toContain(sentence);
});

test('exec passes on every word after the host, with or without two dashes', async () => {
  const where = { name: 'lab', host: 's1' };
  const words = ['kubectl', 'get', 'nodes', '-o', 'wide', '--name', 'x'];
  expect(await asked('exec', 's1', '--', ...words)).toEqual(['exec', 'exec', where, words]);
  expect(await asked('exec', 's1', ...words)).toEqual(['exec', 'exec', where, words]);
  expect(await asked('exec', '--name', 'b', 's1', '--', 'sh', '-c', 'a -- b')).toEqual([
    'exec',
    'exec',
    { name: 'b', host: 's1' },
    ['sh', '-c', 'a -- b'],
  ]);
});

test('exec without a command is a shell', async () => {
  expect(await asked('exec', 'a1')).toEqual(['exec', 'exec', { name: 'lab', host: 'a1' }, ['bash']]);
});

test('what happens to a host is a command of its own', async () => {
  const where = { name: 'lab', host: 'a1' };
  expect(await asked('on', 'a1')).toEqual(['on', 'on', where]);
  for (const word of ['off', 'unplug', 'plug', 'freeze', 'thaw']) {
    expect(await asked(word, 'a1')).toEqual([word, 'change', where, [word]]);
  }
  expect(await asked('loss', 'a1', '30')).toEqual(['loss', 'change', where, ['loss', '30']]);
  expect(await asked('rate', 'a1', '10mbit')).toEqual(['rate', 'change', where, ['rate', '10mbit']]);
});
