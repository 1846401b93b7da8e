import { existsSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { lookUntil } from '../../shared/look-until.ts';
import { allocatorVariables } from './allocator.ts';
import { definitionHead, modeOf, serviceVariable } from './definition.ts';
import { ServiceNotReadyError } from './errors.ts';
import { must } from './host.ts';
import { readyLooks } from './looks.ts';
import { openrcWords, shellDoubleQuote, shellQuote } from './quote.ts';
import type { ManagerOptions, ServiceDefinition, ServiceManager } from './types.ts';
import { serviceLogVariable, lastLinesIn } from './service-log.ts';

/** What `rc-service stop` takes until it signals the service; it fails at once while another command of it runs. */
const toldWithinMs = 10_000;

const notAsked = () =>
  Promise.reject(new TypeError('nothing says whether the node is Ready, so no service is started'));

export function openrcManager({ host, readiness = notAsked }: ManagerOptions): ServiceManager {
  const files = (name: string) => ({
    definition: host.path(`/etc/init.d/${name}`),
    environment: host.path(`/etc/kagent/${name}.env`),
  });
  const logOf = (name: string): string => host.path(`/var/log/${name}.log`);
  const isRunning = async (name: string): Promise<boolean> =>
    (await host.run('rc-service', [name, 'status'])).code === 0;
  return {
    kind: 'openrc',
    files,
    text: (definition) => rcScript(definition, files(definition.name).environment, logOf(definition.name)),
    async reload() {},
    async enable(name) {
      await must(host, 'rc-update', 'add', name, 'default');
      return 'OpenRC starts it at boot';
    },
    async disable(name) {
      await host.run('rc-update', ['del', name, 'default']); // fails where it was not added
      await rm(host.path(`/etc/runlevels/default/${name}`), { force: true }); // or there is no rc-update any more
    },
    async forget() {},
    isRunning,
    async restart(name, { onStatus, timeoutMs }, signal) {
      const log = logOf(name);
      const sizeBefore = existsSync(log) ? statSync(log).size : 0;
      await must(host, 'rc-service', name, 'restart');
      const deadlineMs = performance.now() + timeoutMs;
      let lastStatus = '';
      await lookUntil(
        async () => {
          const { ready, text } = await readiness(signal);
          if (ready) return true;
          if (text !== lastStatus) onStatus(text);
          lastStatus = text;
          const isUp = await isRunning(name);
          if (isUp && performance.now() < deadlineMs) return undefined;
          const how = isUp ? `is not Ready after ${timeoutMs / 1000} s` : 'ended';
          throw new ServiceNotReadyError(name, how, lastLinesIn(log, sizeBefore, 12), log);
        },
        readyLooks,
        signal,
      );
    },
    async endRestarts(name) {
      const told = nextSigterm(toldWithinMs);
      host.launch('rc-service', [name, 'stop']);
      await told;
    },
    async stop(name) {
      await must(host, 'rc-service', '--ifstarted', name, 'stop');
    },
  };
}

/**
 * A process that ends in the moment in which supervise-daemon is told to stop it stays its zombie, whose end
 * supervise-daemon then awaits for the whole of `retry`. So it ends after it was signalled.
 */
function nextSigterm(withinMs: number): Promise<void> {
  process.removeAllListeners('SIGTERM'); // everything has been stopped already
  return new Promise((resolve) => {
    const tooLong = setTimeout(resolve, withinMs);
    process.once('SIGTERM', () => {
      clearTimeout(tooLong);
      resolve();
    });
  });
}

/** supervise-daemon keeps it alive; on stop it signals kagent alone, so the pods keep running. */
export function rcScript(definition: ServiceDefinition, environmentFile: string, log: string): string {
  const { name } = definition;
  const command = openrcWords([definition.executable], 'kagent_executable');
  const args = openrcWords(definition.args, 'kagent_argument');
  const words = [...command.assignments, ...args.assignments].map((line) => `${line}\n`).join('');
  const allocation = Object.entries(allocatorVariables)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
  return `#!/sbin/openrc-run
${definitionHead(definition)}

name=${shellDoubleQuote(name)}
description="Kubernetes by kagent (${modeOf(definition)})"
supervisor="supervise-daemon"
${words}command=${command.line}
command_args=${args.line}
pidfile="/run/${name}.pid"
output_log=${shellDoubleQuote(log)}
error_log=${shellDoubleQuote(log)}
retry="TERM/90/KILL/5"
respawn_delay=5
respawn_max=0

set -o allexport
${allocation}
${serviceVariable}=${shellDoubleQuote(name)}
export ${serviceLogVariable}=${shellDoubleQuote(log)}
if [ -f ${shellQuote(environmentFile)} ]; then . ${shellQuote(environmentFile)}; fi
set +o allexport

depend() {
	after network-online net
	want cgroups
}

start_pre() {
	ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -H -n)"
}
`;
}
