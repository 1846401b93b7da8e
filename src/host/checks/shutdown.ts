import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, writeFileIfChanged } from '../../shared/files/files.ts';
import { noteOfFile } from '../undo-log/undo-log.ts';
import type { UndoLog } from '../undo-log/undo-log.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ServiceHost } from '../service/service.ts';

/** How long pods have to end when the host goes down: critical ones come after the others. */
export const shutdownGrace = { totalSeconds: 25, criticalSeconds: 8 } as const;

/** Written by the kubelet where logind would wait for less than the kubelet needs. */
const logindDropIn = '/etc/systemd/logind.conf.d/99-kubelet.conf';
/** Of every unit whose name begins so: the scopes that runc makes for containers. @see systemd.unit(5) */
const scopeDropIn = '/run/systemd/system/cri-containerd-.scope.d/50-kagent.conf';

export interface ShutdownOptions {
  readonly host: ServiceHost;
  readonly undoLog: UndoLog;
  readonly log: Log;
  readonly cgroupDriver: 'systemd' | 'cgroupfs';
  /** This process's service, if it is one. */
  readonly serviceName: string | undefined;
}

/**
 * Prepares for the day the host goes down with pods on it. Safe to repeat.
 * @returns whether logind waits for the kubelet then, so that it can end pods by itself
 */
export async function prepareShutdown(options: ShutdownOptions): Promise<boolean> {
  const { host, undoLog, cgroupDriver, log } = options;
  if (!isSystemd(host)) return false;
  if (cgroupDriver === 'systemd') {
    await writeScopeDropIn(options).catch((error: unknown) =>
      log.warn('containers have no shorter time to stop at a shutdown', { file: scopeDropIn, error }),
    );
  }
  if (!(await answersForLogind(host))) return false;
  const reload = 'systemctl kill --signal=HUP systemd-logind.service || true'; // where it does not run, nothing is to be read
  undoLog.record(
    { kind: 'command', what: "logind's setting", undo: ['sh', '-c', reload] },
    ...noteOfFile(host.path(logindDropIn)),
  );
  return true;
}

/** Whether the host shuts down or reboots now. Without a service manager it cannot be known. */
export async function isGoingDown(host: ServiceHost): Promise<boolean> {
  if (isSystemd(host)) return (await host.run('systemctl', ['is-system-running'])).output.trim() === 'stopping';
  const { output } = await host.run('cat', [host.path('/run/openrc/softlevel')]);
  return ['shutdown', 'reboot'].includes(output.trim());
}

/** The drop-in of `prepareShutdown`, when no pod is left. */
export async function removeScopeDropIn(host: ServiceHost): Promise<void> {
  const dir = dirname(host.path(scopeDropIn));
  if (!existsSync(dir)) return;
  rmSync(dir, { recursive: true });
  await host.run('systemctl', ['daemon-reload']);
}

/**
 * At a shutdown systemd stops all units at once, and waits 90 s for a container that ignores SIGTERM. With this it stops
 * kagent first, which ends pods as they ask, and what is left then has a few seconds.
 */
async function writeScopeDropIn({ host, log, serviceName }: ShutdownOptions): Promise<void> {
  const order = serviceName === undefined ? '' : `\n[Unit]\nBefore=${serviceName}.service\n`;
  const text = `# Written by kagent at each start.${order}\n[Scope]\nTimeoutStopSec=5s\n`;
  const path = host.path(scopeDropIn);
  makeFolder(dirname(path), 0o755);
  if (!writeFileIfChanged(path, text, 0o644)) return;
  const { code, output } = await host.run('systemctl', ['daemon-reload']);
  if (code !== 0) log.warn('systemd was not told how long containers may take to stop', { error: output.trim() });
}

/** Asked as the kubelet asks it: over the system's bus, which may be missing as well. */
async function answersForLogind(host: ServiceHost): Promise<boolean> {
  const manager = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'];
  return (await host.run('busctl', ['--system', 'get-property', ...manager, 'InhibitDelayMaxUSec'])).code === 0;
}

function isSystemd(host: ServiceHost): boolean {
  return existsSync(host.path('/run/systemd/system')); // as sd_booted(3) asks
}
