import { Command, InvalidArgumentError } from 'commander';
import { labActions } from './actions.ts';
import { maxAgents, maxServers } from './hosts.ts';
import type { UpFlags, LabActions } from './types.ts';

interface Named {
  readonly name: string;
}

export function labCommand(actions: LabActions = labActions()): Command {
  const lab = new Command('lab')
    .description('Run a cluster of several nodes on this box, to try things out')
    .enablePositionalOptions()
    .hook('preAction', (_, command) => actions.require(command.name()));
  lab.addCommand(upCommand(actions));
  lab.addCommand(
    new Command('ls')
      .alias('list')
      .description('List the labs of this box: each host, and the state of its node')
      .option('-o, --output <form>', "'json' for programs")
      .action((flags: { readonly output?: string }) => actions.ls(flags)),
  );
  lab.addCommand(
    onHost('exec', 'Run a command on a host, or a shell: exec s1 -- kubectl get nodes')
      .argument('[command...]', 'the command and its arguments')
      .passThroughOptions()
      .action((host: string, words: readonly string[], { name }: Named) => {
        const command = words[0] === '--' ? words.slice(1) : words;
        return actions.exec({ name, host }, command.length === 0 ? ['bash'] : command);
      }),
  );
  lab.addCommand(named('down', 'Remove a lab, with everything in it').action((flags: Named) => actions.down(flags)));
  lab.addCommand(
    onHost('on', 'Boot a host that is off').action((host: string, { name }: Named) => actions.on({ name, host })),
  );
  for (const [word, about] of changes) {
    lab.addCommand(
      onHost(word, about).action((host: string, { name }: Named) => actions.change({ name, host }, [word])),
    );
  }
  for (const [word, about, value, parse] of measures) {
    const command = onHost(word, about).argument(value, '0 ends it', parse);
    lab.addCommand(
      command.action((host: string, amount: string, { name }: Named) => actions.change({ name, host }, [word, amount])),
    );
  }
  return lab;
}

const changes = [
  ['off', "Cut a host's power; its disk is kept"],
  ['unplug', "Pull a host's network cable"],
  ['plug', 'Plug the cable in again'],
  ['freeze', 'Freeze a host with all its processes'],
  ['thaw', 'Let a frozen host run again'],
] as const;

const measures = [
  ['loss', 'Lose packets on the path to a host', '<percent>', percent],
  ['rate', "Slow down a host's network", '<rate>', rate],
] as const;

function upCommand(actions: LabActions): Command {
  const command = named('up', 'Make hosts, run a cluster on them, and wait until every node is Ready');
  return command
    .option('--agents <number>', 'nodes besides the servers', agents, 2)
    .option('--servers <number>', 'servers; several are on an etcd', servers, 1)
    .option('--data-dir <folder>', "where the hosts' disks are, on ext4, xfs or btrfs (/var/lib/kagent-lab)", folder)
    .argument('[flags...]', "after '--': flags for 'kagent server'")
    .action((serverFlags: readonly string[], flags: Omit<UpFlags, 'serverFlags'>) => {
      const [first] = serverFlags;
      if (first !== undefined && !first.startsWith('-')) {
        command.error(`error: '${first}' is no flag for the server; a lab's name follows --name`);
      }
      const own = serverFlags.find((flag) => labsOwn.has(flag.split('=', 1).join('')));
      if (own !== undefined) command.error(`error: ${own} is set by the lab`);
      return actions.up({ ...flags, serverFlags });
    });
}

/** The disk and the address that agents join by. */
const labsOwn: ReadonlySet<string> = new Set([
  '--data-dir',
  '--supervisor-port',
  '--node-name',
  '--node-ip',
  '--server',
]);

function named(name: string, description: string): Command {
  return new Command(name).description(description).option('--name <name>', "the lab's name", labName, 'lab');
}

function onHost(name: string, description: string): Command {
  return named(name, description).argument('<host>', 's1, a1, a2 …');
}

/** It begins the names of namespaces and cgroups. */
function labName(value: string): string {
  if (/^[a-z][a-z0-9-]{0,29}$/.test(value)) return value;
  throw new InvalidArgumentError('It must be a lower-case letter, then up to 29 letters, digits and dashes.');
}

function agents(value: string): number {
  const count = Number(value);
  if (/^\d+$/.test(value) && count <= maxAgents) return count;
  throw new InvalidArgumentError(`It must be a number from 0 to ${maxAgents}.`);
}

function servers(value: string): number {
  const count = Number(value);
  if (/^\d+$/.test(value) && count >= 1 && count <= maxServers) return count;
  throw new InvalidArgumentError(`It must be a number from 1 to ${maxServers}; of three, one may be lost.`);
}

/** It ends up in a script, and in overlayfs's options. */
function folder(value: string): string {
  if (/^(\/[A-Za-z0-9._-]+)+$/.test(value)) return value;
  throw new InvalidArgumentError('It must be an absolute path of letters, digits, dots, dashes and underscores.');
}

function percent(value: string): string {
  if (/^\d{1,2}$|^100$/.test(value)) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 100.');
}

function rate(value: string): string {
  if (/^0$|^\d+[kmg]bit$/.test(value)) return value;
  throw new InvalidArgumentError("It must be like '10mbit', or 0.");
}
