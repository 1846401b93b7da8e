import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLevel } from '../../shared/log/log.ts';
import { lastLines } from '../../shared/plain-text/plain-text.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type {
  Command,
  HostPort,
  HostPortOwner,
  PodProbeResult,
  PodProbeTarget,
  VolumeFolder,
} from '../../shared/protocol/channel.ts';
import { ComponentUnknownError } from './errors.ts';

export interface CommandsOptions {
  readonly supervisor: Supervisor;
  /** Of the children's logs. */
  readonly logDir: string;
  readonly setLogLevel: (level: LogLevel) => void;
  /** The node was removed: what it was is forgotten, and it ends. */
  readonly leave: () => void;
  /** Asks other nodes for an answer through the pods' network. */
  readonly probe: (targets: readonly PodProbeTarget[]) => Promise<readonly PodProbeResult[]>;
  readonly portsInUse: (ports: readonly HostPort[]) => readonly HostPortOwner[];
  readonly volumes: {
    readonly make: (volume: VolumeFolder) => void;
    readonly remove: (volume: VolumeFolder) => Promise<void>;
  };
}

/** Of each log; the channel's messages are bounded too. */
const maxLogBytes = 256 * 1024;

/** Does what an operator asked for through the server. @returns the answer for them */
export function createCommands(options: CommandsOptions): (command: Command) => Promise<string> {
  const { supervisor, logDir, setLogLevel, leave, probe, portsInUse, volumes } = options;
  return async (command) => {
    switch (command.kind) {
      case 'logs':
        return logsText(logDir, command.component, command.lines);
      case 'log-level':
        setLogLevel(command.level);
        return `the log level is ${command.level}`;
      case 'restart':
        if (!(await supervisor.restart(command.component))) throw unknown(supervisor, command.component);
        return `${command.component} was restarted`;
      case 'leave':
        setImmediate(leave); // its answer goes first
        return 'leaving';
      case 'probe':
        return JSON.stringify(await probe(command.targets));
      case 'ports-in-use':
        return JSON.stringify(portsInUse(command.ports));
      case 'make-volume':
        volumes.make(command);
        return 'made';
      case 'remove-volume':
        await volumes.remove(command);
        return 'removed';
    }
  };
}

/** The last lines of one child's log, or of each, under its name. */
function logsText(dir: string, component: string | undefined, lines: number): string {
  const names = readdirSync(dir).flatMap((file) => (file.endsWith('.log') ? [file.slice(0, -'.log'.length)] : []));
  const asked = component === undefined ? names.toSorted() : names.filter((name) => name === component);
  if (component !== undefined && asked.length === 0) throw new ComponentUnknownError(component, names);
  const texts = asked.map((name) => {
    const tail = `${lastLines(readFileSync(join(dir, `${name}.log`), 'utf8').slice(-maxLogBytes), lines)}\n`;
    return component === undefined ? `==> ${name} <==\n${tail}` : tail;
  });
  return texts.join('\n');
}

function unknown(supervisor: Supervisor, component: string): ComponentUnknownError {
  return new ComponentUnknownError(
    component,
    supervisor.processes().map(({ name }) => name),
  );
}
