/**
 * @module
 * kagent as a service of the box: under systemd, under OpenRC, or as a daemon of its own where there is neither.
 * Knows: what started this process and how to tell it, unit and script texts, start at boot, pid file, service log.
 * Leaves to others: when the node is Ready (main.ts passes it), what the service does, getting the executable (install.sh).
 * Spec: systemd.service(5), sd_notify(3), OpenRC's service-script-guide.
 */

export type { ServiceDefinition, Readiness, StartOptions, ServiceKind, ServiceManager } from './types.ts';
export { createServiceManager, detectServiceManager, everyServiceManager } from './managers.ts';
export { giveUp } from './give-up.ts';
export { serviceNameOf } from './definition.ts';
export { hostAt, type ServiceHost } from './host.ts';
export { journalPrefix } from './journal.ts';
export { createNotifier, type Notifier } from './notify.ts';
export { daemonize, daemonizeSelf, isDaemon, type DaemonOptions } from './daemonize.ts';
export { daemonPid, stopDaemon } from './pid-file.ts';
export { keepServiceLogSmall } from './service-log.ts';
export { installService, type InstallOptions } from './install.ts';
export { environmentIn, saidDataDir, saidSettings, type Said } from './said.ts';
export { dataDirOf, environmentOf, installedServices, removeService, type InstalledService } from './installed.ts';
export { serviceCommand } from './commands.ts';
