import { rm } from 'node:fs/promises';
import { lookUntil } from '../../shared/look-until.ts';
import { allocatorVariables } from './allocator.ts';
import { definitionHead, modeOf, serviceVariable } from './definition.ts';
import { removedExitCode, wrongUsageExitCode } from '../../shared/exit-codes.ts';
import { ServiceNotReadyError } from './errors.ts';
import { must } from './host.ts';
import type { ServiceHost } from './host.ts';
import { readyLooks } from './looks.ts';
import { systemdExecutable, systemdPath, systemdQuote } from './quote.ts';
import type { ServiceDefinition, ServiceManager } from './types.ts';

/** Where administrators' units are; those of packages and images may be elsewhere. @see systemd.unit(5) */
const usualUnitDir = '/etc/systemd/system';
export const unitDirs = [
  usualUnitDir,
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
] as const;

export function systemdManager(host: ServiceHost, unitDir: string = usualUnitDir): ServiceManager {
  const unit = (name: string): string => `${name}.service`;
  const files = (name: string) => ({
    definition: host.path(`${unitDir}/${unit(name)}`),
    environment: host.path(`${unitDir}/${unit(name)}.env`),
  });
  return {
    kind: 'systemd',
    files,
    text: (definition) => unitText(definition, files(definition.name).environment),
    async reload() {
      await must(host, 'systemctl', 'daemon-reload');
    },
    async enable(name) {
      await must(host, 'systemctl', '--quiet', 'enable', unit(name));
      return 'systemd starts it at boot';
    },
    async disable(name) {
      await host.run('systemctl', ['--quiet', 'disable', unit(name)]); // fails where there is no such unit
      await rm(host.path(`${usualUnitDir}/multi-user.target.wants/${unit(name)}`), { force: true }); // or no systemctl any more
    },
    async forget(name) {
      await host.run('systemctl', ['reset-failed', unit(name)]); // fails where it is not listed
    },
    async isRunning(name) {
      return (await host.run('systemctl', ['--quiet', 'is-active', unit(name)])).code === 0;
    },
    async restart(name, { onStatus, timeoutMs }, signal) {
      // Not waited for by systemctl, which would show nothing until the end.
      await must(host, 'systemctl', '--no-block', 'restart', unit(name));
      const deadlineMs = performance.now() + timeoutMs;
      let lastStatus = '';
      const state = await lookUntil(
        async () => {
          const seen = await unitState(host, unit(name));
          if (seen.status !== '' && seen.status !== lastStatus) onStatus(seen.status);
          lastStatus = seen.status;
          return seen.hasPendingJob && performance.now() < deadlineMs ? undefined : seen;
        },
        readyLooks,
        signal,
      );
      if (state.isReady) return;
      const how = state.hasPendingJob ? `is not Ready after ${timeoutMs / 1000} s` : `ended (${state.result})`;
      const journal = ['--unit', unit(name), '--lines', '12', '--no-pager', '--output', 'cat'];
      const { output } = await host.run('journalctl', journal);
      throw new ServiceNotReadyError(name, how, output.trimEnd(), `journalctl --unit ${unit(name)}`);
    },
    async endRestarts() {}, // RestartPreventExitStatus has said it
    async stop(name) {
      await must(host, 'systemctl', 'stop', unit(name));
    },
  };
}

interface UnitState {
  readonly isReady: boolean;
  /** systemd still works on the restart. */
  readonly hasPendingJob: boolean;
  readonly status: string;
  readonly result: string;
}

async function unitState(host: ServiceHost, unit: string): Promise<UnitState> {
  const output = await must(host, 'systemctl', 'show', '--property', 'ActiveState,Job,StatusText,Result', unit);
  const property = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(output)?.[1] ?? '';
  return {
    isReady: property('ActiveState') === 'active',
    hasPendingJob: !['', '0'].includes(property('Job')),
    status: property('StatusText'),
    result: property('Result'),
  };
}

/**
 * KillMode=process: on stop kagent alone is told; it ends its own children, and the pods' shims keep running.
 * Delegate=yes: the cgroups below are kagent's. A wrong flag (exit code 2) is not tried again and again, and
 * a node that was removed stays away.
 */
export function unitText(definition: ServiceDefinition, environmentFile: string): string {
  const { executable, args } = definition;
  const command = [systemdExecutable(executable), ...args.map(systemdQuote)].join(' ');
  const allocation = Object.entries(allocatorVariables)
    .map(([name, value]) => `Environment=${name}=${value}`)
    .join('\n');
  return `${definitionHead(definition)}
[Unit]
Description=Kubernetes by kagent (${modeOf(definition)})
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=all
${allocation}
Environment=${serviceVariable}=%N
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-${systemdPath(environmentFile)}
ExecStart=${command}
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
TimeoutStopSec=90s
Restart=always
RestartSec=5s
RestartPreventExitStatus=${wrongUsageExitCode} ${removedExitCode}

[Install]
WantedBy=multi-user.target
`;
}
