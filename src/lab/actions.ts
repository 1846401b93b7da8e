/** What the commands do. */
import { join } from 'node:path';
import { print } from '../cli/cli.ts';
import type { LabActions, Where } from './types.ts';
import { labDown } from './down.ts';
import { LabFailedError, LabHostNotFoundError, LabHostStateError, LabNotFoundError } from './errors.ts';
import { hostsOf, toType } from './hosts.ts';
import type { LabRecord } from './hosts.ts';
import { labStatus, labTable } from './ls.ts';
import { labRecords, labsDir } from './records.ts';
import { labScript } from './script.ts';
import { requireTools, thisHost, toolsFor } from './tools.ts';
import { labUp, startKagent } from './up.ts';

export function labActions(): LabActions {
  const records = labRecords();
  /** @throws {LabNotFoundError} @throws {LabHostNotFoundError} */
  const find = ({ name, host: wanted }: Where) => {
    const lab = records.find(name);
    if (lab === undefined) throw new LabNotFoundError(name);
    const host = hostsOf(lab).find((candidate) => candidate.name === wanted);
    if (host === undefined) throw new LabHostNotFoundError(lab, wanted);
    return { lab, host, script: labScript(lab) };
  };
  return {
    require: (command) => requireTools(toolsFor(command), thisHost()),
    async up({ name, servers, agents, dataDir = labsDir, serverFlags }) {
      const lab = { name, dir: join(dataDir, name), servers, agents, serverFlags: [...serverFlags] };
      await labUp(lab, { records, print, signal: interrupted() });
      print(whatNext(lab));
    },
    async ls({ output }) {
      const labs = await Promise.all(records.list().map(labStatus));
      process.stdout.write(output === 'json' ? `${JSON.stringify(labs, null, 2)}\n` : labTable(labs));
    },
    async exec(where, command) {
      const { lab, host, script } = find(where);
      const state = await script.state(host);
      if (state === 'off' || state === 'frozen') throw new LabHostStateError(lab, host.name, state);
      process.exitCode = await script.attached(host, command);
    },
    async down({ name }) {
      const lab = records.find(name);
      if (lab === undefined) return print(`there is no lab ${name}: nothing to remove`);
      await labDown(lab, records);
      print(`the lab ${name} is gone`);
    },
    async on(where) {
      const { lab, host, script } = find(where);
      if ((await script.state(host)) !== 'off') return print(`${host.name} is on already`);
      await script.run(['net-up']); // gone if the box itself was off
      await script.run(['up', host.name, String(host.lastByte)]);
      await startKagent({ lab, script, host, print, signal: interrupted() });
    },
    async change(where, args) {
      const { lab, host, script } = find(where);
      const [word = '', ...values] = args;
      const state = await script.state(host);
      if (state === 'off' && word !== 'off') throw new LabHostStateError(lab, host.name, state);
      await script.run([word, host.name, ...values]);
      print(`${host.name}: ${[word, ...values].join(' ')}`);
    },
  };
}

/** Aborts at SIGINT and SIGTERM; a second one ends the process at once. */
function interrupted(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => stop.abort(new LabFailedError(name, 'stopped waiting before the node was Ready')));
  }
  return stop.signal;
}

function whatNext({ name, agents }: LabRecord): string {
  const node = agents === 0 ? 's1' : 'a1';
  const lines = [
    [`${toType(name, 'exec')} s1 -- kubectl get nodes`, 'the cluster'],
    [`${toType(name, 'exec')} ${node}`, 'a shell on a host; its log: /var/log/kagent.log'],
    [`${toType(name, 'off')} ${node}`, "cut its power; 'on' boots it again"],
    [`${toType(name, 'unplug')} ${node}`, "pull its cable; 'plug' puts it back"],
    [`${toType(name, 'freeze')} ${node}`, "freeze it; 'thaw' lets it run again"],
    ['kagent lab ls', 'the state of each'],
    [toType(name, 'down'), 'remove everything'],
  ] as const;
  const width = Math.max(...lines.map(([command]) => command.length));
  return ['', 'What next:', ...lines.map(([command, about]) => `  ${command.padEnd(width)}   ${about}`)].join('\n');
}
