/**
 * @module
 * kagent as a service of the box: under systemd, under OpenRC, or as a daemon of its own where there is neither.
 * Knows: what started this process and how to tell it, unit and script texts, start at boot, pid file, service log.
 * Leaves to others: when the node is Ready (main.ts passes it), what the service does, getting the executable (install.sh).
 * Spec: systemd.service(5), sd_notify(3), OpenRC's service-script-guide.
 */

export interface ServiceDefinition {
  readonly name: string; // 'kagent', 'kagent-agent'
  readonly executable: string;
  readonly args: readonly string[]; // ['server', '--node-name', 'a']
}

/** What a service manager needs in order to wait for Ready where the manager itself cannot. */
export interface Readiness {
  readonly ready: boolean;
  readonly text: string; // what it waits for
  /** Components of a Ready node of which it is not known yet how they are, such as `cluster-dns`. */
  readonly unknown: readonly string[];
}

export interface StartOptions {
  /** Told of each new status. */
  readonly onStatus: (text: string) => void;
  readonly timeoutMs: number;
}

export type ServiceKind = 'systemd' | 'openrc' | 'none';

export interface ServiceManager {
  readonly kind: ServiceKind;
  /** Where the definition and the environment file (0600) of a service are. */
  files(name: string): { readonly definition: string; readonly environment: string };
  /** The whole text of the definition; `definition.ts` reads the command back out of it. */
  text(definition: ServiceDefinition): string;
  /** The manager takes note of a new or changed definition. */
  reload(): Promise<void>;
  /** Starts it at boot. @returns how, or why not */
  enable(name: string): Promise<string>;
  disable(name: string): Promise<void>;
  isRunning(name: string): Promise<boolean>;
  /** After its definition has gone: systemd lists a unit that failed, or was killed as it took too long to stop, until it is told. */
  forget(name: string): Promise<void>;
  /** Ends a running one first; resolves when the node is Ready. @throws {ServiceNotReadyError} with its last lines */
  restart(name: string, options: StartOptions, signal: AbortSignal): Promise<void>;
  stop(name: string): Promise<void>;
  /** Said by the service itself, which ends when this resolves: it is not to be started again as after a crash. */
  endRestarts(name: string): Promise<void>;
}

export { createServiceManager, detectServiceManager, everyServiceManager } from './managers.ts';
export { removedExitCode, wrongUsageExitCode } from './exit-codes.ts';
export { giveUp } from './give-up.ts';
export { serviceNameOf } from './definition.ts';
export { hostAt, type ServiceHost } from './host.ts';
export { journalPrefix } from './journal.ts';
export { createNotifier, type Notifier } from './notify.ts';
export { daemonize, daemonizeSelf, isDaemon, type DaemonOptions } from './daemonize.ts';
export { daemonPid, stopDaemon } from './pid-file.ts';
export { keepServiceLogSmall } from './service-log.ts';
export { installService, type InstallOptions } from './install.ts';
export { environmentIn, saidDataDir, saidSetting, type Said } from './said.ts';
export { dataDirOf, environmentOf, installedServices, removeService, type InstalledService } from './installed.ts';
export { serviceCommand } from './commands.ts';
