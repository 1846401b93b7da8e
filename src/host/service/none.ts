import { bootHook } from './boot.ts';
import { definitionHead, serviceVariable } from './definition.ts';
import { ServiceNotReadyError } from './errors.ts';
import { lastLines } from '../../shared/plain-text/plain-text.ts';
import { runToEnd } from '../run.ts';
import type { ServiceHost } from './host.ts';
import { daemonPid, stopDaemon } from './pid-file.ts';
import { shellQuote } from './quote.ts';
import type { ServiceDefinition, ServiceManager } from './types.ts';
import { runPaths } from '../../shared/paths.ts';

const stopTimeoutMs = 90_000;

/** No service manager: a small script starts kagent as a daemon, now and, where the box allows it, at boot. */
export function daemonManager(host: ServiceHost): ServiceManager {
  const files = (name: string) => ({
    definition: host.path(`/etc/kagent/${name}.start`),
    environment: host.path(`/etc/kagent/${name}.env`),
  });
  const pidFile = host.path(runPaths.pidFile);
  return {
    kind: 'none',
    files,
    text: (definition) => startScript(definition, files(definition.name).environment),
    async reload() {},
    enable: (name) => bootHook(host).add(name, files(name).definition),
    disable: (name) => bootHook(host).remove(name),
    async forget() {},
    async isRunning() {
      return daemonPid(pidFile) !== undefined;
    },
    async restart(name, { onStatus, timeoutMs }, signal) {
      await stopDaemon(pidFile, stopTimeoutMs);
      const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      // As a boot does it, without this process's environment; its lines are the daemon's status.
      const options = { env: {}, onLine: onStatus, signal: ended };
      const { code, stderr } = await runToEnd('/bin/sh', [files(name).definition], options);
      if (!ended.aborted && code === 0) return;
      const how = ended.aborted ? `is not Ready after ${timeoutMs / 1000} s` : `did not start (exit code ${code})`;
      throw new ServiceNotReadyError(name, how, lastLines(stderr, 12), "logs/kagent.log in kagent's data dir");
    },
    async endRestarts() {}, // nobody starts it before the next boot
    async stop() {
      await stopDaemon(pidFile, stopTimeoutMs);
    },
  };
}

/** Also run by rc.local or cron at boot, which have next to no environment. */
export function startScript(definition: ServiceDefinition, environmentFile: string): string {
  const command = [definition.executable, ...definition.args].map(shellQuote).join(' ');
  return `#!/bin/sh
${definitionHead(definition)}
PATH=\${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}
case :$PATH: in *:/usr/sbin:*) ;; *) PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH ;; esac
export PATH
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -H -n)"
set -a
if [ -f ${shellQuote(environmentFile)} ]; then . ${shellQuote(environmentFile)}; fi
${serviceVariable}=${shellQuote(definition.name)}
set +a
exec ${command} --daemonize
`;
}
